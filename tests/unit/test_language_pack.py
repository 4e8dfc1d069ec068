# SPDX-License-Identifier: Apache-2.0
"""Language packs: signed, judged by name, replaced whole, removable (R39, R29, R5, Bad input)."""

from __future__ import annotations

from pathlib import Path

import pytest
from control_bench import Bench
from hypothesis import given
from hypothesis import strategies as st
from nacl.signing import SigningKey
from test_cli import run

from language_packs import DEVELOPMENT, PACK, body, catalogue, signed
from qx.errors import Refusal
from qx.trust.signers import DEVELOPMENT_ID, Signers
from qx.upgrade import headers, language
from qx.upgrade.language import BadPack, parse

SIGNERS = Signers({}, development=True)


def refused(octets: bytes, firmware: str = "1.0.0", signers: Signers = SIGNERS) -> str:
    with pytest.raises(BadPack) as error:
        parse(octets, signers, firmware)
    return str(error.value)


def test_a_pack_is_what_was_signed() -> None:
    found = parse(PACK, SIGNERS, "1.0.0")
    assert (found.language, found.title, found.signer) == ("de", "Deutsch 1.2", "development")
    assert b"Sichern" in found.catalogue
    header = headers.LANGUAGE.parse(PACK)
    assert (header.format, header.signer) == (1, DEVELOPMENT_ID)
    assert header.length == len(PACK) - language.HEADER.size - language.SIGNATURE


@pytest.mark.parametrize(
    ("octets", "said"),
    [
        (b"", "no language pack"),
        (b"QXLP", "no language pack"),
        (b"PK\3\4" + bytes(100), "no language pack"),
        (PACK[:-1], f"truncated: {len(PACK) - 1} octets; expected {len(PACK)}"),
        (PACK + b"x", "longer than it says"),
        (PACK[:5] + b"\2" + PACK[6:], "format 2; expected 1"),
        (PACK[:10] + bytes(8) + PACK[18:], "signed by 0000000000000000, who is not known"),
        (PACK[:60] + bytes([PACK[60] ^ 1]) + PACK[61:], "damaged or forged"),
        (signed(body(), SigningKey.generate()), "damaged or forged"),
        (bytes(language.PACK_MAX + 1), f"more than {language.PACK_MAX} octets"),
        (signed(body(language="German")), "language: expected a code"),
        (signed(body(language="../../etc")), "language: expected a code"),
        (signed(body(name="")), "name: expected 1 to 40"),
        (signed(body(name="\x1b[2J")), "name: expected 1 to 40"),
        (signed(body(version="1" * 41)), "version: expected 1 to 40"),
        (signed(body(firmware=("1.0.0",))), "firmware: expected the first and the last"),
        (signed(body(firmware=("one", "two"))), "firmware: expected the first and the last"),
        (signed(body(catalogue="text")), "catalogue: expected octets"),
        (signed(body(catalogue=b"no catalogue")), "catalogue: "),
        (signed(body(catalogue=catalogue({"a": "b"})[:-40])), "catalogue: "),
    ],
)  # fmt: skip
def test_what_is_none_is_refused_by_name(octets: bytes, said: str) -> None:
    """Bad input."""
    assert said in refused(octets)


def test_the_releases_that_it_is_for() -> None:
    """At, below and above both ends; numbers, not texts."""
    for firmware in ("1.0.0", "1.8.7", "1.9", "1.9.0.0"):
        assert parse(PACK, SIGNERS, firmware)
    for firmware in ("0.9.9", "1.9.0.1", "1.10", "2", "devel"):
        assert f"for firmware 1.0.0 to 1.9; expected one for {firmware}" == refused(PACK, firmware)[15:]


def test_the_development_key_does_not_count_in_the_field() -> None:
    """R37 in spirit: anybody has it."""
    assert "development key" in refused(PACK, signers=Signers({}, development=False))


def test_a_feature_keys_signature_is_not_one_of_a_pack() -> None:
    from qx.trust import key

    octets = language.unsigned(DEVELOPMENT_ID, body())
    other = octets + DEVELOPMENT.private.sign(key.CONTEXT + octets).signature
    assert "damaged or forged" in refused(other)


@given(st.integers(0, 8 * len(PACK) - 1))
def test_no_flipped_bit_is_taken(bit: int) -> None:
    octets = bytearray(PACK)
    octets[bit // 8] ^= 1 << bit % 8
    refused(bytes(octets))


def test_it_replaces_the_one_before_and_can_be_removed(bench: Bench) -> None:
    """R39, R29: pages speak the installed one; the other unit is told."""
    assert bench.ask("langpack") == {"installed": None, "trouble": None, "in_use": False}
    assert bench.ask("langpack_install", pack=PACK)["installed"]["name"] == "Deutsch"
    french = signed(body(language="fr", name="Français", version="3"))
    told = bench.ask("langpack_install", pack=french)
    assert (told["installed"]["language"], told["in_use"]) == ("fr", True)
    assert bench.ask("langpack_catalogue")["catalogue"] == body()["catalogue"]
    with pytest.raises(Refusal, match="damaged or forged"):
        bench.ask("langpack_install", pack=PACK[:-1] + b"x")
    assert bench.ask("langpack")["installed"]["language"] == "fr"  # as it was
    assert not bench.ask("langpack_remove")["installed"]
    with pytest.raises(Refusal, match="none is installed"):
        bench.ask("langpack_remove")
    assert bench.ask("langpack_catalogue") == {"language": None, "catalogue": None}
    assert bench.unit.spoken == ["Deutsch 1.2", "Français 3", ""]


def test_a_language_that_was_set_is_spoken_rather(bench: Bench) -> None:
    bench.ask("langpack_install", pack=PACK)
    for value, in_use in (("en", False), ("de", True), ("fr", False)):
        bench.ask("set", changes={"language.pages": value})
        assert bench.ask("langpack")["in_use"] is in_use
        assert (bench.ask("langpack_catalogue")["language"] == "de") is in_use


def test_a_damaged_one_is_told_and_english_is_spoken(bench: Bench) -> None:
    """R39: flash that lost a bit."""
    bench.ask("langpack_install", pack=PACK)
    file = bench.unit.paths.language_pack
    file.write_bytes(PACK[:100] + b"?" + PACK[101:])
    told = bench.ask("langpack")
    assert told["installed"] is None
    assert "damaged or forged" in told["trouble"]
    assert bench.ask("langpack_catalogue")["catalogue"] is None
    assert bench.ask("langpack_install", pack=PACK)["trouble"] is None


def test_the_vendors_tool_and_the_command(bench: Bench, tmp_path: Path) -> None:
    """R31."""
    from board.vendor.command import make_language_pack

    root = bench.unit.paths.root
    mo, pack = tmp_path / "de.mo", tmp_path / "de.pack"
    mo.write_bytes(body()["catalogue"])
    argv = [str(mo), str(pack), "--language", "de", "--name", "Deutsch", "--version", "1", "--firmware"]
    assert make_language_pack([*argv, "2.0", "2.9"]) == 0
    code, _, error = run("langpack", "install", pack, "--root", root)
    assert (code, error) == (1, "qx: language pack: for firmware 2.0 to 2.9; expected one for 1.0.0\n")
    assert make_language_pack([*argv, "1.0", "1.9"]) == 0
    said = "Deutsch 1 (de), for firmware 1.0 to 1.9\n"
    assert run("langpack", "install", pack, "--root", root)[:2] == (0, said)
    assert run("langpack", "--root", root)[1] == said
    assert run("langpack", "remove", "--root", root)[1] == "no language pack; the pages are in English\n"
    assert run("langpack", "install", "--root", root)[0] == 2
    assert run("langpack", "install", tmp_path / "no", "--root", root)[0] == 1
    mo.write_bytes(b"no catalogue")
    assert make_language_pack([*argv, "1.0", "1.9"]) == 1
