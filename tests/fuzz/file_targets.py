# SPDX-License-Identifier: Apache-2.0
"""file_targets: language packs, a board's file with the lines of its lights, settings as texts, and what SIP
and the command line hand in."""

from __future__ import annotations

import contextlib
import io
import json
import tempfile
import tomllib
from functools import cache
from pathlib import Path

from qx.board import read_board
from qx.errors import Refusal
from qx.front import leds_of
from qx.model import MODELS
from qx.packing import pack
from qx.panel.wiring import BadWiring, wiring
from qx.paths import Paths
from qx.pbx import registration, sip
from qx.redundancy import decode
from qx.settings.check import read_changes, validate
from qx.trust.signers import signer_id
from qx.upgrade import language
from qx.words import Words

from .peer_targets import PUBLIC, SIGNERS, SIGNING
from .store_targets import OURS
from .words import Target, each

NOW = 1_800_000_000.0


def signed(body: bytes) -> bytes:
    octets = language.HEADER.pack(language.MAGIC, language.FORMAT, len(body), signer_id(PUBLIC)) + body
    return octets + SIGNING.sign(language.CONTEXT + octets).signature


def language_pack(octets: bytes) -> None:
    """As a stranger's, and as a careless vendor's, which is then spoken."""

    def read(one: bytes) -> None:
        found = language.parse(one, SIGNERS, "1.0.0")
        spoken = Words(found.catalogue, found.language)
        assert isinstance(spoken("Save"), str)
        assert isinstance(spoken("slot A was given up"), str)

    each(read, octets, signed(octets))


@cache
def _root() -> tuple[tempfile.TemporaryDirectory[str], Paths]:
    folder = tempfile.TemporaryDirectory(prefix="qx-fuzz-")
    paths = Paths(Path(folder.name))
    paths.etc_qx.mkdir(parents=True)
    return folder, paths


def close() -> None:
    """Takes the board's folder away, where one was needed."""
    if _root.cache_info().currsize:
        _root()[0].cleanup()
        _root.cache_clear()


def board(octets: bytes) -> None:
    """A board.toml: what the board is, and on which lines its lights are."""
    _, paths = _root()
    paths.board_toml.write_bytes(octets)
    read_board(paths)
    try:
        for model in MODELS.values():
            wiring(tomllib.loads(octets.decode()).get("leds", {}), leds_of(model))
    except BadWiring as error:
        raise Refusal(str(error)) from None


def setting(octets: bytes) -> None:
    """PATH=TEXT lines, as one transaction; what is taken can be written."""
    lines = (line.partition("=") for line in octets.decode("utf-8", "surrogateescape").split("\n"))
    changes = read_changes(OURS, {path: text for path, _, text in lines})
    after = validate(OURS, changes)
    assert pack(tuple(changes.items()))
    assert all(after[path] == value for path, value in changes.items() if value is not None)


def sip_answer(octets: bytes) -> None:
    """A phone's answer, which may be a challenge."""
    try:
        found = sip.answer(octets)
        line = sip.authorization(found, "NOTIFY", "sip:201@10.77.0.51", "admin", "secret", "cnonce")
    except sip.BadMessage as error:
        raise Refusal(str(error)) from None
    assert "\n" not in line and "\r" not in line


def sip_report(octets: bytes) -> None:
    """A datagram of the registrar's, with what phones wrote into it."""
    try:
        found = registration.report(octets, NOW)
    except registration.BadReport as error:
        raise Refusal("report: " + " ".join(str(error).split())[:300]) from None
    if isinstance(found, registration.Registered):
        row = registration.contacts_row(found.contacts)
        assert len(registration.contacts_of(found.aor, row)) == len(found.contacts)
    elif isinstance(found, registration.Dialog):
        assert registration.dialog_of(found.call_id, registration.dialog_row(found)) == found


def decoding(octets: bytes) -> None:
    """`qx vrrp decode`: a group as JSON, and packets as hexadecimal lines."""
    group, _, lines = octets.decode("utf-8", "replace").partition("\n")
    told, wrong = io.StringIO(), io.StringIO()
    with contextlib.redirect_stderr(wrong):
        code = decode.run(["--group", group] if group else [], io.StringIO(lines), told)
    assert (code == 0) == (wrong.getvalue() == "")
    for line in told.getvalue().splitlines():
        found = json.loads(line)
        assert found["accept"] == (found["reason"] is None)


TARGETS: dict[str, Target] = {
    "language": language_pack, "board": board, "setting": setting, "sip-answer": sip_answer,
    "sip-report": sip_report, "decode": decoding,
}  # fmt: skip
