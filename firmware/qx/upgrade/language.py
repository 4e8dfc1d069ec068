# SPDX-License-Identifier: Apache-2.0
"""language: a language pack: a gettext catalogue with the vendor's signature; a unit has one or none.

    header | body | signature

Header (`headers.LANGUAGE`) and body (msgpack: language, name, version, firmware, catalogue) are signed with
Ed25519, as feature keys are and with a word of its own before, so that neither passes for the other. The body
is looked at only when the signature is right. Touches data/qx/language.pack; reading and writing wait for
flash, so they are done in a worker thread.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from struct import Struct
from typing import TYPE_CHECKING, Any

from .. import durable
from ..errors import Refusal
from ..packing import NotPacked, pack, unpack
from ..trust import files
from .version import numbers

if TYPE_CHECKING:
    from ..board import Board
    from ..paths import Paths
    from ..trust.signers import Signers

MAGIC = b"QXLP"
FORMAT = 1
HEADER = Struct(">4sHI8s")
SIGNATURE = 64
CONTEXT = b"qx language pack\0"
PACK_MAX = 1 << 20  # octets of a whole pack
LANGUAGE = re.compile(r"[a-z]{2}(?:-[A-Z]{2})?")
WORDS_MAX = 40  # characters of name and version


class BadPack(Refusal):
    def __init__(self, text: str) -> None:
        super().__init__(f"language pack: {text}")


@dataclass(frozen=True, slots=True)
class LanguagePack:
    language: str  # a code, like de or pt-BR
    name: str  # as its speakers call it
    version: str
    firmware: tuple[str, str]  # the first and the last release that it is for
    signer: str
    catalogue: bytes  # a .mo file

    @property
    def title(self) -> str:
        """What the other unit is told, and compares with its own (R5)."""
        return f"{self.name} {self.version}"

    def plain(self) -> dict[str, Any]:
        """Of JSON types, for faces; without the catalogue."""
        return {
            "language": self.language, "name": self.name, "version": self.version,
            "firmware": list(self.firmware), "signer": self.signer, "octets": len(self.catalogue),
        }  # fmt: skip


def unsigned(signer: bytes, body: dict[str, Any]) -> bytes:
    """Header and body; with CONTEXT before it, this is what the vendor signs."""
    octets = pack(body)
    return HEADER.pack(MAGIC, FORMAT, len(octets), signer) + octets


def parse(octets: bytes, signers: Signers, firmware: str) -> LanguagePack:
    """A whole pack, judged for this firmware. Raises BadPack, by name. Pure."""
    from nacl.bindings import crypto_sign_open  # noqa: PLC0415 - where a pack is
    from nacl.exceptions import BadSignatureError  # noqa: PLC0415

    if len(octets) > PACK_MAX:
        raise BadPack(f"more than {PACK_MAX} octets; expected a language pack")
    if len(octets) < HEADER.size or octets[: len(MAGIC)] != MAGIC:
        raise BadPack("no language pack; expected a file that the vendor issued")
    _, version, length, number = HEADER.unpack_from(octets)
    if version != FORMAT:
        raise BadPack(f"format {version}; expected {FORMAT}: this firmware knows no other")
    whole = HEADER.size + length + SIGNATURE
    if len(octets) != whole:
        cut = "truncated" if len(octets) < whole else "longer than it says"
        raise BadPack(f"{cut}: {len(octets)} octets; expected {whole}")
    try:
        signer = signers.find(number)
    except Refusal as error:
        raise BadPack(str(error).removeprefix("feature key: ")) from None
    signed, signature = octets[:-SIGNATURE], octets[-SIGNATURE:]
    try:
        crypto_sign_open(signature + CONTEXT + signed, signer.public)
    except BadSignatureError:
        raise BadPack(f"damaged or forged: {signer.name} did not sign it; expected it as issued") from None
    found = _contents(signed[HEADER.size :], signer.name)
    first, last = found.firmware
    if not _within(firmware, first, last):
        raise BadPack(f"for firmware {first} to {last}; expected one for {firmware}")
    return found


def _contents(body: bytes, signer: str) -> LanguagePack:
    from gettext import GNUTranslations  # noqa: PLC0415 - where a pack is
    from io import BytesIO  # noqa: PLC0415

    try:
        told = unpack(body)
    except NotPacked:
        told = None
    if not isinstance(told, dict):
        raise BadPack("contents: expected a msgpack map")
    language, catalogue = told.get("language"), told.get("catalogue")
    if not isinstance(language, str) or not LANGUAGE.fullmatch(language):
        raise BadPack("language: expected a code, like de or pt-BR")
    for field in ("name", "version"):
        text = told.get(field)
        if not isinstance(text, str) or not 0 < len(text) <= WORDS_MAX or not text.isprintable():
            raise BadPack(f"{field}: expected 1 to {WORDS_MAX} printable characters")
    releases = told.get("firmware")
    if not isinstance(releases, tuple) or len(releases) != 2 or not all(map(_is_release, releases)):
        raise BadPack("firmware: expected the first and the last release that it is for")
    if not isinstance(catalogue, bytes):
        raise BadPack("catalogue: expected octets")
    try:
        GNUTranslations(BytesIO(catalogue))
    except Exception as error:  # whatever a parser of somebody else's finds wrong
        raise BadPack(f"catalogue: {type(error).__name__}; expected a .mo file of gettext") from None
    return LanguagePack(language, told["name"], told["version"], releases, signer, catalogue)


def _is_release(text: Any) -> bool:
    return isinstance(text, str) and numbers(text) is not None


def _within(firmware: str, first: str, last: str) -> bool:
    now, low, high = numbers(firmware), numbers(first), numbers(last)
    return now is not None and low is not None and high is not None and low <= now <= high


# --- on flash ---------------------------------------------------------------------------------------------
def kept(paths: Paths, board: Board, firmware: str) -> LanguagePack | None:
    """The installed one; None where there is none. Raises BadPack where it cannot be used, as one that is not
    for this firmware after an upgrade."""
    from ..trust.signers import read_signers  # noqa: PLC0415 - where a pack is

    try:
        octets = files.read(paths.language_pack)
    except files.Damaged as error:
        raise BadPack(str(error)) from None
    return None if octets is None else parse(octets, read_signers(paths, board), firmware)


def install(paths: Paths, board: Board, octets: bytes, firmware: str) -> LanguagePack:
    """In place of the one before, whole or not at all. Raises Refusal; then nothing was changed."""
    from ..trust.signers import read_signers  # noqa: PLC0415 - where a pack is

    found = parse(octets, read_signers(paths, board), firmware)
    files.replace(paths.language_pack, octets)
    return found


def remove(paths: Paths) -> bool:
    """Was there one?"""
    there = paths.language_pack.exists()
    paths.language_pack.unlink(missing_ok=True)
    durable.flush(paths.language_pack.parent)
    return there
