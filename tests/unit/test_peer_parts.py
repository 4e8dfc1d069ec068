# SPDX-License-Identifier: Apache-2.0
"""What crosses in a session: the messages of its parts, in order, beside a long copy, and those that nobody
understands (R5)."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from peer_bench import Recorder, Unit, both_up, join, run, two

from qx.redundancy.peer.message import LIVE, ROLES, SETTINGS, VOICE
from qx.redundancy.peer.session import Session
from qx.redundancy.peer.talk import PING
from qx.redundancy.peer.told import Down, Up
from qx.redundancy.peer.wire import Ended
from waiting import until


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
