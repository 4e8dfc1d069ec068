# SPDX-License-Identifier: Apache-2.0
"""In what two units differ that have a session: shown by name on both, and whether they pair (R1, R5)."""

from __future__ import annotations

from pathlib import Path

from peer_bench import Unit, addresses, both_up, join, run, two
from trust_bench import TODAY, A, B, C, issued

from qx.redundancy.peer.message import SETTINGS
from qx.redundancy.peer.told import Down, Mismatched, Paired, Refused, Said, Up
from qx.trust.pairing import Pin
from waiting import until


def test_another_model_stays_connected_and_does_not_pair(tmp_path: Path) -> None:
    """R5, must show: shown by name on both units; no part is started."""

    async def main() -> None:
        async with two(tmp_path, model="qx50") as (a, b):
            join(a, b)
            await both_up(a, b)
            assert a.named() == {"model": ("qx200", "qx50")}
            assert b.named() == {"model": ("qx50", "qx200")}
            for unit in (a, b):
                assert not unit.session.pairs
                assert not unit.of(Up)[0].pairs
                assert [part.starts for part in unit.parts] == [0, 0, 0]
                assert unit.of(Mismatched)[0].mismatches == tuple(unit.session.mismatches())
            assert b.session._link
            b.session._link.wire.send(SETTINGS.start, "all the same")
            b.session.say("master", None, 1)
            await a.tells(Said)
            assert a.settings.got == []
            assert a.session.up

    run(main())


def test_firmware_feature_and_language_only_warn(tmp_path: Path) -> None:
    """R5: other firmware, a feature or a language pack that one unit lacks: named, and the parts run."""

    async def main() -> None:
        keys = issued("redundancy")
        async with two(tmp_path, keys, firmware="2.9.1", language="German 4") as (a, b):
            fax = issued("fax")
            a.keyring.install(fax[0], TODAY)
            join(a, b)
            await both_up(a, b)
            assert a.named() == {"firmware": ("2.10.0", "2.9.1"), "licence.fax": ("installed", "missing"),
                                 "language": ("none", "German 4")}  # fmt: skip
            assert b.named() == {n: (theirs, ours) for n, (ours, theirs) in a.named().items()}
            assert a.session.pairs
            assert a.settings.line.peer.firmware == "2.9.1"
            b.keyring.install(fax[1], TODAY)
            b.session.keys_changed()
            await a.tells(Up, 2)
            await both_up(a, b)
            assert set(a.named()) == set(b.named()) == {"firmware", "language"}
            assert a.of(Down)[0].end.goodbye == "keys"

    run(main())


def test_keys_of_other_sets_stay_connected_and_do_not_pair(tmp_path: Path) -> None:
    """R5: a new set installed on one unit of a pair: named on both, until the other has its key too."""

    async def main() -> None:
        async with two(tmp_path) as (a, b):
            join(a, b)
            await both_up(a, b)
            new = issued()
            a.keyring.install(new[0], TODAY)
            a.session.keys_changed()
            await a.tells(Up, 2)
            await both_up(a, b)
            for unit in (a, b):
                assert list(unit.named()) == ["licence"]
                assert not unit.session.pairs
                ours, theirs = unit.named()["licence"]
                assert ours.split(", set ")[1] != theirs.split(", set ")[1]
            assert a.settings.channel is None
            b.keyring.install(new[1], TODAY)
            b.session.keys_changed()
            await until(lambda: a.session.pairs and b.session.pairs)
            assert a.named() == b.named() == {}
            assert a.settings.channel

    run(main())


def test_a_replacement_of_another_serial_pairs_when_its_key_set_is_installed(tmp_path: Path) -> None:
    """R5, guide section 5: without a restart of the unit that works alone, whichever address it has."""

    async def main() -> None:
        for number, lower in enumerate((True, False)):
            folder = tmp_path / str(number)
            async with two(folder) as (a, b):
                low, high, _ = addresses()
                ours, other = (low, high) if lower else (high, low)
                a.place(ours, other)
                b.place(other, ours)
                await both_up(a, b)
                await b.session.close("off")
                new = issued(serials=(A, C))
                c = Unit(folder / "c", C, new[1])
                c.place(other, ours)
                refused = await a.tells(Refused)
                assert refused.reason == "serial"
                assert not a.session.up
                a.keyring.install(new[0], TODAY)
                a.session.keys_changed()
                await both_up(a, c)
                assert a.session.pairs
                assert a.of(Paired)[-1].serial == C
                assert a.keyring.pin == Pin(c.certificate.der)
                await c.close()

    run(main())


def test_without_a_key_there_is_no_session_until_one_is_installed(tmp_path: Path) -> None:
    """R1: a unit without a redundancy key does not join; keys_changed is enough."""

    async def main() -> None:
        keys = issued()
        a, b = Unit(tmp_path / "a", A, keys[0]), Unit(tmp_path / "b", B)
        join(a, b)
        await until(lambda: "no redundancy key is installed" in b.session.why)
        b.keyring.install(keys[1], TODAY)
        b.session.keys_changed()
        await both_up(a, b)
        assert b.session.why == ""
        await a.close()
        await b.close()

    run(main())
