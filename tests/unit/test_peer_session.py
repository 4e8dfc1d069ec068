# SPDX-License-Identifier: Apache-2.0
"""Two sessions over TLS on loopback, with real keyrings: pairing, life and end of a session, and where the
units are (R5, R17)."""

from __future__ import annotations

import asyncio
import math
import os
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
from peer_bench import Unit, addresses, both_up, join, run, two
from trust_bench import A, B, issued, traces

import qx
from counts import bound, count
from qx import ports
from qx.redundancy.peer.talk import SILENCE
from qx.redundancy.peer.told import CertificateChanged, Down, Paired, Refused, Said, Up
from qx.redundancy.peer.wire import Ended
from qx.trust.pairing import Pin
from waiting import until

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
            await until(lambda: b.session.why.startswith(f"{missing}: not an address of this unit now"))

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
