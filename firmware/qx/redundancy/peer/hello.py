# SPDX-License-Identifier: Apache-2.0
"""hello: what the two units say of themselves in the session, and in what they differ (R5). Pure.

On the wire a map of names to values. Names that are not known are left out, so that a newer firmware may say
more; one that is missing or has another shape ends the session by its name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from ...errors import Refusal
from ...identity import serial_number
from ...trust import bond
from ...trust.key import REDUNDANCY, Licence
from .message import BadMessage

LICENCES_MAX = 64
LICENCE_MAX = 2048  # octets of a key's public part; one of today has at most 1105
PARTS_MAX = 16
TEXT_MAX = 64  # characters of model, firmware, language
TERM_MAX = (1 << 63) - 1
MODES = (None, "active", "passive")


@dataclass(frozen=True, slots=True)
class PeerHello:
    """`role` and `mode` as `qx status` names them; they are told anew whenever they change."""

    serial: str
    model: str
    firmware: str
    licences: tuple[bytes, ...] = field(
        default=(), repr=False
    )  # the vendor-signed public parts of the keys in force
    language: str = ""  # name and version of the language pack; empty where there is none
    role: str = "starting"
    mode: str | None = None
    term: int = 0
    parts: tuple[int, ...] = ()  # the first kind of each part that this unit has, see message.py

    def packed(self) -> dict[str, Any]:
        """The body of HELLO and WELCOME."""
        return {name: getattr(self, name) for name in _FIELDS}

    def standing(self) -> dict[str, Any]:
        """The body of STANDING: what may change within a session."""
        return {name: getattr(self, name) for name in _STANDING}


# --- reading ------------------------------------------------------------------------------------------------
def _text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= TEXT_MAX and value.isprintable()


def _serial(value: Any) -> bool:
    try:
        return isinstance(value, str) and bool(serial_number("serial", value))
    except Refusal:
        return False


def _licences(value: Any) -> bool:
    return (
        isinstance(value, tuple)
        and len(value) <= LICENCES_MAX
        and all(isinstance(public, bytes) and len(public) <= LICENCE_MAX for public in value)
    )


def _role(value: Any) -> bool:
    # No list of names: a newer firmware may know one more, and it is only shown.
    return isinstance(value, str) and bool(re.fullmatch(r"[a-z]{1,16}", value))


def _term(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= TERM_MAX


def _parts(value: Any) -> bool:
    return (
        isinstance(value, tuple)
        and len(value) <= PARTS_MAX
        and all(isinstance(kind, int) and not isinstance(kind, bool) and 0 < kind < 256 for kind in value)
    )


_Judge = Callable[[Any], bool]
_STANDING: dict[str, tuple[_Judge, str]] = {
    "role": (_role, "1 to 16 small letters"),
    "mode": (lambda value: value in MODES, "active, passive or nothing"),
    "term": (_term, "a whole number from 0"),
}
_FIELDS: dict[str, tuple[_Judge, str]] = {
    "serial": (_serial, "a serial number"),
    "model": (_text, f"a line of at most {TEXT_MAX} characters"),
    "firmware": (_text, f"a line of at most {TEXT_MAX} characters"),
    "licences": (_licences, f"at most {LICENCES_MAX} keys of at most {LICENCE_MAX} octets"),
    "language": (_text, f"a line of at most {TEXT_MAX} characters"),
    **_STANDING,
    "parts": (_parts, f"at most {PARTS_MAX} kinds"),
}


def _read(what: str, body: Any, fields: dict[str, tuple[_Judge, str]]) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise BadMessage(f"{what}: expected a map")
    for name, (good, expected) in fields.items():
        if name not in body or not good(body[name]):
            raise BadMessage(f"{what}: {name}: expected {expected}")
    return {name: body[name] for name in fields}


def read_hello(body: Any) -> PeerHello:
    """The body of HELLO or WELCOME. Raises BadMessage naming the field."""
    return PeerHello(**_read("hello", body, _FIELDS))


def with_standing(hello: PeerHello, body: Any) -> PeerHello:
    """`hello` with what a STANDING message says. Raises BadMessage naming the field."""
    return replace(hello, **_read("standing", body, _STANDING))


# --- comparing ----------------------------------------------------------------------------------------------
UNPAIRING = ("model", "licence")  # these two must be the same, or the units are no pair


class Mismatch(NamedTuple):
    """`parameter` is model, firmware, licence, licence.FEATURE, language, or the path of a setting."""

    parameter: str
    ours: str
    theirs: str

    def __str__(self) -> str:
        return f"{self.parameter}: {self.ours} here, {self.theirs} on the other unit"


@dataclass(frozen=True, slots=True)
class Comparison:
    """`pairs` is false where the two must not be a pair: another model, or keys that are not for each other.
    Every other mismatch is a warning (R5)."""

    mismatches: tuple[Mismatch, ...]
    pairs: bool


def compare(
    ours: PeerHello, theirs: PeerHello, our_keys: Sequence[Licence], their_keys: Sequence[Licence]
) -> Comparison:
    """The two units side by side. The keys are those of both hellos, their signatures verified
    (keyring.read_publics); of the peer's only those for its own serial number count."""
    their_keys = [key for key in their_keys if key.serial == theirs.serial]
    keys = bond.compare(our_keys, their_keys)
    found: list[Mismatch] = []
    if ours.model != theirs.model:
        found.append(Mismatch("model", ours.model, theirs.model))
    if keys.unbound:
        found.append(Mismatch("licence", bound(our_keys), bound(their_keys)))
    if ours.firmware != theirs.firmware:
        found.append(Mismatch("firmware", ours.firmware, theirs.firmware))
    found += [Mismatch(f"licence.{name}", "installed", "missing") for name in keys.peer_lacks]
    found += [Mismatch(f"licence.{name}", "missing", "installed") for name in keys.we_lack]
    if ours.language != theirs.language:
        found.append(Mismatch("language", ours.language or "none", theirs.language or "none"))
    return Comparison(tuple(found), not any(one.parameter in UNPAIRING for one in found))


def bound(keys: Sequence[Licence]) -> str:
    """Whom the redundancy key is for. The hash of the pair key tells two sets of one number apart."""
    key = next((key for key in reversed(keys) if REDUNDANCY in key.features), None)
    if key is None:
        return "none"
    pair = (key.pair_hash or b"")[:4].hex()
    return f"{key.serial} with {key.peer}, set {key.set_id.hex()}/{pair}"


def newer(a: str, b: str) -> bool:
    """Is firmware `a` a later release than `b`? Versions are numbers with dots, each compared as a number, a
    missing one as 0. Of two of which one has another form neither is newer: nothing crosses then."""
    one, two = _version(a), _version(b)
    return one is not None and two is not None and one > two


def _version(text: str) -> tuple[int, ...] | None:
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9}){0,3}", text):
        return None
    numbers = [int(number) for number in text.split(".")]
    return (*numbers, *[0] * (4 - len(numbers)))
