# SPDX-License-Identifier: Apache-2.0
"""Two sessions over TLS on loopback, with real keyrings: pairing, life and end of a session (R5, R17)."""

from __future__ import annotations

import asyncio
import math
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from peer_bench import Recorder, Unit, addresses, both_up, join, run, two, until
from trust_bench import TODAY, A, B, C, issued, traces

import qx
from counts import bound, count
from qx import ports
from qx.redundancy.peer.message import LIVE, ROLES, SETTINGS, VOICE
from qx.redundancy.peer.session import Session
from qx.redundancy.peer.talk import PING, SILENCE
from qx.redundancy.peer.told import CertificateChanged, Down, Mismatched, Paired, Refused, Said, Up
from qx.redundancy.peer.wire import Ended
from qx.trust.pairing import Pin, fingerprint

HERE = Path(__file__).resolve()


def test_two_units_with_nothing_but_their_keys_pair_and_meet(tmp_path: Path) -> None:
    """R17, guide section 4: pins from the pair key, then the session at once; both know who the other is."""

    async def main() -> None:
        async with two(tmp_path) as (a, b):
            assert (a.session.up, a.session.peer, a.session.heard_s) == (False, None, math.inf)
            a.session.say("master", None, 7)
            join(a, b)
            await both_up(a, b)
            for unit, other in ((a, b), (b, a)):
                assert unit.of(Paired) == [Paired(other.identity.serial, other.certificate.fingerprint.hex())]
                assert unit.keyring.pin == Pin(other.certificate.der)
                assert unit.session.pairs
                assert unit.session.mismatches() == []
                assert unit.session.heard_s < 1
                assert [part.starts for part in unit.parts] == [1, 1, 1]
                assert (unit.session.counters["pairings"], unit.session.counters["refused"]) == (1, 0)
            hello = b.session.peer
            assert hello
            assert (hello.serial, hello.model, hello.firmware) == (A, "qx200", "2.10.0")
            assert (hello.role, hello.mode, hello.term) == ("master", None, 7)
            assert a.settings.line.peer.serial == B
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run(main())


def test_a_restarted_unit_comes_back_without_pairing_anew(tmp_path: Path) -> None:
    """R17: the pin lasts. An orderly goodbye is told with its word, on both units."""

    async def main() -> None:
        async with two(tmp_path) as (a, b):
            join(a, b)
            await both_up(a, b)
            for unit, other in ((a, b), (b, a)):
                other.told.clear()
                await unit.restart("restart")
                end = (await other.tells(Down)).end
                assert (end.goodbye, end.ours) == ("restart", False)
                await both_up(a, b)
                assert not unit.of(Paired)
                assert not unit.of(Refused)
                assert not other.of(Refused)
            assert b.session.counters["pairings"] == 0
            assert a.settings.starts == a.settings.ends + 1 == 3

    run(main())


def test_a_broken_connection_is_no_goodbye_and_is_mended_at_once(tmp_path: Path) -> None:
    """Channel: FIN without a word is a broken connection; back within the shortest back-off."""

    async def main() -> None:
        async with two(tmp_path) as (a, b):
            join(a, b)
            await both_up(a, b)
            rounds = count(1, 2)  # each one that breaks at once doubles the back-off
            for unit, other in ((a, b), (b, a)):
                for _ in range(rounds):
                    unit.told.clear()
                    other.told.clear()
                    link = unit.session._link
                    assert link
                    link.wire.abort(Ended("cut"))
                    assert (await other.tells(Down)).end.goodbye is None
                    assert (await unit.tells(Down)).end.why == "cut"
                    await both_up(a, b)
            assert a.session.counters["broken"] == 2 * rounds
            assert a.session.counters["goodbyes"] == 0

    run(main())


@contextmanager
def elsewhere(
    root: Path, serial: str, key: str, own: IPv4Address, peer: IPv4Address
) -> Iterator[subprocess.Popen[str]]:
    """A unit in a process of its own."""
    folders = [str(HERE.parents[2]), str(Path(qx.__file__).parents[1]), str(HERE.parents[1])]
    arguments = [str(HERE.parent / "peer_bench.py"), str(root), serial, key, str(own), str(peer)]
    process = subprocess.Popen(
        [sys.executable, *arguments], stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(folders)},
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=10)


def test_a_peer_that_stops_is_down_after_3_s_and_one_that_dies_at_once(tmp_path: Path) -> None:
    """DESIGN, contract: the peer counts as down 3 s after its last heartbeat; a dead process at once."""

    async def main() -> None:
        keys = issued()
        low, high, _ = addresses()
        a = Unit(tmp_path / "a", A, keys[0])
        a.place(low, high)
        with elsewhere(tmp_path / "b", B, keys[1], high, low) as process:
            await a.tells(Up, patience=20)
            await until(lambda: a.session.heard_s > 0.8)  # it beats once a second
            await until(lambda: a.session.heard_s < 0.5)
            os.kill(process.pid, signal.SIGSTOP)
            quiet = a.session.heard_s
            stopped = time.monotonic()
            down = await a.tells(Down)
            took = time.monotonic() - stopped + quiet
            assert down.end.goodbye is None
            assert down.end.why == "nothing was heard of the other unit for 3 s"
            assert SILENCE - 0.05 < took < SILENCE + 0.5
            os.kill(process.pid, signal.SIGCONT)
            await a.tells(Up, 2)
            process.kill()
            killed = time.monotonic()
            down = await a.tells(Down, 2)
            assert time.monotonic() - killed < 1
            assert down.end.goodbye is None
        await a.close()

    run(main())


def test_a_role_crosses_at_once(tmp_path: Path) -> None:
    """What the controller says is on the other unit long before the next heartbeat."""

    async def main() -> None:
        async with two(tmp_path) as (a, b):
            join(a, b)
            await both_up(a, b)
            start = time.monotonic()
            b.session.say("backup", "passive", 9)
            said = (await a.tells(Said)).peer
            assert time.monotonic() - start < 0.5
            assert (said.role, said.mode, said.term) == ("backup", "passive", 9)
            assert a.session.peer == said == a.settings.line.peer
            b.session.say("backup", "passive", 9)  # nothing new
            b.session.say("master", None, 10)
            assert (await a.tells(Said, 2)).peer.role == "master"
            assert len(a.of(Said)) == 2

    run(main())


def test_what_was_said_before_the_session_is_not_lost(tmp_path: Path) -> None:
    """A change between the hello and the welcome crosses after it."""

    async def main() -> None:
        async with two(tmp_path) as (a, b):
            join(a, b)
            await both_up(a, b)
            await a.session.close("end")
            b.session.say("fault", None, 1)
            a.session = a._new()
            a.session.place(*a.at)
            hello = b.session.hello
            b.session.hello = lambda: (hello(), b.session.say("master", None, 2))[0]  # type: ignore[method-assign]
            await both_up(a, b)
            await until(lambda: a.session.peer and a.session.peer.role == "master")

    run(main())


def test_messages_of_a_part_arrive_in_order_and_at_that_part(tmp_path: Path) -> None:
    """Both ways, from the first on; parts hear nothing of each other."""

    async def main() -> None:
        async with two(tmp_path) as (a, b):
            a.settings.greeting = "from a"
            b.settings.greeting = "from b"
            join(a, b)
            await both_up(a, b)
            for number in range(500):
                a.settings.line.send(SETTINGS.start + 1, number, bulk=number % 3 == 0)
                b.settings.line.send(SETTINGS.start + 1, number)
                b.parts[1].line.send(VOICE.stop - 1, number)
            await until(lambda: len(b.settings.got) == 501 and len(a.settings.got) == 501)
            await until(lambda: len(a.parts[1].got) == 500)
            assert b.settings.got[0] == (SETTINGS.start, "from a")
            assert a.settings.got[0] == (SETTINGS.start, "from b")
            assert [body for _, body in a.settings.got[1:]] == list(range(500))
            assert sorted(body for _, body in b.settings.got[1:]) == list(range(500))
            assert [body for _, body in a.parts[1].got] == list(range(500))
            assert a.parts[2].got == b.parts[2].got == []
            for kind in (SETTINGS.stop, PING):
                with pytest.raises(ValueError, match="expected one of range"):
                    a.settings.line.send(kind, None)

    run(main())


def test_after_the_end_a_channel_takes_nothing_and_waits_for_nobody(tmp_path: Path) -> None:
    async def main() -> None:
        async with two(tmp_path) as (a, b):
            join(a, b)
            await both_up(a, b)
            line = a.settings.line
            while a.session._link and a.session._link.wire._bulk_octets < 1 << 20:
                line.send(SETTINGS.start, bytes(1 << 16), bulk=True)
            waiting = asyncio.create_task(line.room())
            await asyncio.sleep(0)
            await a.restart()
            line.send(SETTINGS.start, "late")
            for work in (waiting, line.room()):
                with pytest.raises(Ended):
                    await work
            await both_up(a, b)
            assert (SETTINGS.start, "late") not in b.settings.got

    run(main())


@pytest.mark.parametrize("both", [False, True], ids=["one way", "both ways"])
def test_a_long_copy_holds_up_no_heartbeat_and_no_change(tmp_path: Path, both: bool) -> None:
    """Must show: 64 MB of bulk, and what is urgent crosses beside them at once, heartbeats as well."""
    size, many = 1 << 16, 1024

    async def copy(part: Recorder) -> None:
        for _ in range(many):
            await part.line.room()
            part.line.send(VOICE.start, bytes(size), bulk=True)

    async def main() -> None:
        async with two(tmp_path) as (a, b):
            join(a, b)
            await both_up(a, b)
            senders = [(a, b), (b, a)] if both else [(a, b)]
            copies = [asyncio.create_task(copy(unit.parts[1])) for unit, _ in senders]
            delays: list[float] = []
            while not all(len(to.parts[1].got) == many for _, to in senders):
                start = time.monotonic()
                a.settings.line.send(SETTINGS.start, start)
                await until(lambda: b.settings.got, 5)
                delays.append(time.monotonic() - start)
                b.settings.got.clear()
                await asyncio.sleep(0.01)
            await asyncio.gather(*copies)
            assert delays
            assert max(delays) < 0.5
            print(f"{len(delays)} changes during {many * size >> 20} MB: {1000 * max(delays):.1f} ms at most")
            assert not a.of(Down)
            assert not b.of(Down)

    run(main())


def test_a_goodbye_in_the_midst_of_a_long_copy_is_a_goodbye(tmp_path: Path) -> None:
    """What is urgent still goes out, what is bulky does not."""

    async def main() -> None:
        async with two(tmp_path) as (a, b):
            join(a, b)
            await both_up(a, b)
            for unit, other in ((a, b), (b, a)):
                for _ in range(400):
                    unit.parts[1].line.send(VOICE.start, bytes(1 << 16), bulk=True)
                other.told.clear()
                unit.settings.line.send(SETTINGS.start, "last words")
                await unit.restart("swap")
                assert (await other.tells(Down)).end.goodbye == "swap"
                assert other.settings.got[-1] == (SETTINGS.start, "last words")
                assert len(other.parts[1].got) < 400
                await both_up(a, b)

    run(main())


@pytest.mark.parametrize("kind", [ROLES.start, 72, 255, 7, 15])
def test_a_kind_that_nobody_knows_ends_the_session_in_words_on_both(tmp_path: Path, kind: int) -> None:
    """Bad input: in words on both units, and the next session is a good one."""

    async def main() -> None:
        async with two(tmp_path) as (a, b):
            join(a, b)
            await both_up(a, b)
            assert a.session._link
            a.session._link.wire.send(kind, None)
            why = (await b.tells(Down)).end.why
            assert why.startswith(f"message: kind {kind}; expected ")
            end = (await a.tells(Down)).end
            assert (end.goodbye, end.why) == (None, f"the other unit ended the session: {why}")
            await a.tells(Up, 2)
            await both_up(a, b)

    run(main())


def test_a_body_that_a_part_does_not_understand_ends_the_session(tmp_path: Path) -> None:
    """Bad input: part.Part.received; all parts are told of the end."""

    async def main() -> None:
        async with two(tmp_path) as (a, b):
            b.settings.bad = "nonsense"
            join(a, b)
            await both_up(a, b)
            for body in ("good", "nonsense", "after"):
                a.settings.line.send(SETTINGS.start, body)
            assert (await b.tells(Down)).end.why == "settings: 'nonsense'; expected another"
            assert b.settings.got == [(SETTINGS.start, "good")]
            await a.tells(Up, 2)
            await both_up(a, b)
            assert [part.ends for part in (*a.parts, *b.parts)] == [1] * 6

    run(main())


def test_a_part_that_only_one_unit_has_is_not_started(tmp_path: Path) -> None:
    """R5: another firmware may have more parts; what both have works."""

    async def main() -> None:
        async with two(tmp_path) as (a, b):
            extra = Recorder(ROLES)
            b.parts.append(extra)
            b.session = b._new()
            join(a, b)
            await both_up(a, b)
            assert extra.starts == 0
            b.settings.line.send(SETTINGS.start, 1)
            await until(lambda: a.settings.got)

    run(main())


def test_two_parts_cannot_have_one_kind(tmp_path: Path) -> None:
    async def main() -> None:
        unit = Unit(tmp_path / "a")
        for kinds in (range(LIVE.start, LIVE.start + 1), range(15, 17)):
            with pytest.raises(ValueError, match="expected kinds that nobody else has"):
                Session(unit.identity, "1", unit.keyring, unit.certificate,
                        [Recorder(LIVE), Recorder(kinds)], print)  # fmt: skip
        await unit.close()

    run(main())


# --- R5: what differs ---------------------------------------------------------------------------------------
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


# --- R17: a changed certificate -----------------------------------------------------------------------------
@pytest.mark.parametrize("lost", [("unit.pem",), ("unit.pem", "peer")], ids=["certificate", "and pin"])
@pytest.mark.parametrize("changed", ["caller", "listener"])
@pytest.mark.parametrize("first", ["old unit first", "changed unit first"])
def test_a_changed_certificate_waits_for_a_hand_on_both_units(
    tmp_path: Path, changed: str, lost: tuple[str, ...], first: str
) -> None:
    """R17: proven by the pair key, and yet no session until somebody confirmed on both units."""

    async def main() -> None:
        async with two(tmp_path) as (a, b):
            join(a, b)
            await both_up(a, b)
            old, new = (a, b) if changed == "caller" else (b, a)
            before = new.certificate.der
            await new.reboot(*lost)
            told = await old.tells(CertificateChanged)
            assert (told.own, told.fingerprint) == (False, new.certificate.fingerprint.hex())
            asked = await new.tells(CertificateChanged)
            assert (asked.own, asked.fingerprint) == (True, told.fingerprint)
            await until(lambda: "`qx licence confirm` on both units" in b.session.why)
            one, other = (old, new) if first == "old unit first" else (new, old)
            assert await one.session.confirm_certificate()
            await asyncio.sleep(bound(0.7, 0.25))
            b.session.nudge()
            await asyncio.sleep(0.3)
            assert not a.session.up
            assert not b.session.up
            assert old.keyring.pin.certificate == before
            assert await other.session.confirm_certificate()
            await both_up(a, b)
            assert old.keyring.pin == Pin(new.certificate.der)
            await until(lambda: new.keyring.pin == Pin(old.certificate.der))
            assert old.of(Paired)[-1].fingerprint == fingerprint(new.certificate.der).hex()
            assert not await old.session.confirm_certificate()
            assert len(old.of(CertificateChanged)) == 1  # not at every attempt

    run(main())


def test_confirmations_outlive_a_restart(tmp_path: Path) -> None:
    """R17: what somebody has confirmed is on flash."""

    async def main() -> None:
        async with two(tmp_path) as (a, b):
            join(a, b)
            await both_up(a, b)
            await b.reboot("unit.pem")
            await a.tells(CertificateChanged)
            await b.tells(CertificateChanged)
            assert await a.session.confirm_certificate()
            await a.reboot()
            assert await b.session.confirm_certificate()
            await b.reboot()
            await both_up(a, b)
            assert a.keyring.pin == Pin(b.certificate.der)

    run(main())


def test_both_certificates_changed(tmp_path: Path) -> None:
    """R17: each unit confirms once, for both changes."""

    async def main() -> None:
        async with two(tmp_path) as (a, b):
            join(a, b)
            await both_up(a, b)
            await a.close()
            await b.reboot("unit.pem")
            a.keyring = type(a.keyring)(a.paths, a.identity, a.board, write=0)
            a.session = a._new()
            await a.reboot("unit.pem")
            await a.tells(CertificateChanged, 2)
            await b.tells(CertificateChanged, 2)
            await a.session.confirm_certificate()
            await asyncio.sleep(0.5)
            assert not a.session.up
            await b.session.confirm_certificate()
            await both_up(a, b)
            await until(lambda: a.keyring.pin == Pin(b.certificate.der))
            await until(lambda: b.keyring.pin == Pin(a.certificate.der))

    run(main())


def test_the_old_certificate_again_ends_the_question(tmp_path: Path) -> None:
    """R17: a flash put back: nothing waits any more, and nobody has to confirm."""

    async def main() -> None:
        async with two(tmp_path) as (a, b):
            join(a, b)
            await both_up(a, b)
            shutil.copy(b.paths.trust / "unit.pem", tmp_path / "kept")
            await b.reboot("unit.pem")
            await a.tells(CertificateChanged)
            await b.tells(CertificateChanged)
            await b.close()
            shutil.copy(tmp_path / "kept", b.paths.trust / "unit.pem")
            b.keyring = type(b.keyring)(b.paths, b.identity, b.board, write=0)
            b.session = b._new()
            await b.reboot()
            await both_up(a, b)
            await until(lambda: a.keyring.pin == Pin(b.certificate.der))
            await until(lambda: b.keyring.pin == Pin(a.certificate.der))

    run(main())


# --- places -------------------------------------------------------------------------------------------------
def test_a_unit_that_moves_says_goodbye_and_meets_the_other_there(tmp_path: Path) -> None:
    """Settings change: None ends the session, other addresses begin one, and the sides may change."""

    async def main() -> None:
        async with two(tmp_path) as (a, b):
            join(a, b)
            await both_up(a, b)
            high, low = b.at
            for end in (a, b):
                end.session.place(None, None)
            assert [(unit.of(Down)[0].end.goodbye) for unit in (a, b)] == ["moved", "moved"]
            assert a.session.why == "no Virtual IP Addresses are set"
            await asyncio.sleep(0.3)
            assert not a.session.up
            a.place(high, low)  # now a calls
            b.place(low, high)
            await both_up(a, b)
            a.place(high, low)  # nothing new
            assert a.session.up

    run(main())


def test_an_address_that_cannot_be_bound_is_tried_again(tmp_path: Path) -> None:
    """The Virtual IP may not be on the interface yet; here its port is taken for a while."""

    async def main() -> None:
        async with two(tmp_path) as (a, b):
            low, high, _ = addresses()
            with socket.socket() as taken:
                taken.bind((str(low), ports.SESSION))
                taken.listen()
                a.place(low, high)
                await until(lambda: a.session.why == f"{low} port 7779: Address already in use")
            b.place(high, low)
            await both_up(a, b)
            missing = IPv4Address("192.0.2.1")  # RFC 5737: nobody has it
            b.place(missing, low)
            await until(lambda: b.session.why == f"{low}: Cannot assign requested address")

    run(main())


def test_the_caller_comes_sooner_when_nudged(tmp_path: Path) -> None:
    """The engine heard the peer: not after the whole back-off, and not in a loop without end."""

    async def main() -> None:
        async with two(tmp_path) as (a, b):
            low, high, _ = addresses()
            b.place(high, low)
            await asyncio.sleep(bound(6, 2))  # the back-off has grown beyond the second of nudges below
            tries = 0
            context = b.session.credentials.ours

            def counted() -> object:
                nonlocal tries
                tries += 1
                return context()

            b.session.credentials.ours = counted  # type: ignore[assignment]
            for _ in range(100):
                b.session.nudge()
                await asyncio.sleep(0.01)
            assert 4 <= tries <= 7
            a.place(low, high)
            await until(lambda: a.at)
            b.session.nudge()
            start = time.monotonic()
            await both_up(a, b)
            assert time.monotonic() - start < 1

    run(main())


def test_no_secret_is_told_or_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """R17: the pair key, and the private key, are in nothing that anybody gets to see."""

    async def main() -> None:
        keys = issued()
        caplog.set_level(0)
        async with two(tmp_path, keys) as (a, b):
            join(a, b)
            await both_up(a, b)
            await b.reboot("unit.pem")
            await a.tells(CertificateChanged)
            seen = repr(
                (a.told, b.told, a.session.counters, a.session.why, vars(a.session), a.session.hello())
            )
            seen += caplog.text + repr(a.session.credentials.ours())
            for trace in (*traces(keys[0]), *traces(keys[1]), "PRIVATE KEY"):
                assert trace not in seen

    run(main())
