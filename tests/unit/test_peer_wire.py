# SPDX-License-Identifier: Apache-2.0
"""The wire: two rows, the urgent before the bulky, and an end that lets the last words out. Real sockets."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest
from peer_bench import run

from qx.errors import Refusal
from qx.redundancy.peer.message import BadMessage
from qx.redundancy.peer.wire import BULK_ROOM, Ended, Wire
from waiting import until

BULK, URGENT = 40, 20
PIECE = bytes(1 << 16)


class Ear:
    """Hears one end of a wire."""

    def __init__(self, refuses: bool = False) -> None:
        self.got: list[tuple[int, Any]] = []
        self.bads: list[str] = []
        self.overs: list[Exception | None] = []
        self.refuses = refuses

    def made(self, transport: asyncio.Transport) -> None:
        assert not transport.is_closing()
        if self.refuses:
            raise Refusal("not you")

    def heard(self, kind: int, body: Any) -> None:
        if body == "bad":
            raise BadMessage("bad")
        self.got.append((kind, body))

    def bad(self, error: BadMessage) -> None:
        self.bads.append(str(error))

    def over(self, error: Exception | None) -> None:
        self.overs.append(error)


async def pair(refuses: bool = False) -> tuple[Wire, Wire, Ear, Ear, asyncio.Transport]:
    """Two wires over a socket pair; the second one's transport, to make it slow."""
    loop = asyncio.get_running_loop()
    ears = Ear(refuses), Ear()
    wires = tuple(Wire(ear) for ear in ears)
    ends = socket.socketpair()
    for end in ends:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 15)
        end.setblocking(False)
    await loop.create_connection(lambda: wires[0], sock=ends[0])
    transport, _ = await loop.create_connection(lambda: wires[1], sock=ends[1])
    return wires[0], wires[1], *ears, transport


def test_urgent_goes_before_bulky_and_each_row_keeps_its_order() -> None:
    """Behind what the transport holds already, a change waits for no copy."""

    async def main() -> None:
        one, two, _, ear, slow = await pair()
        slow.pause_reading()
        for number in range(100):
            one.send(BULK, (number, PIECE), bulk=True)
        for number in range(10):
            one.send(URGENT, number)
        await asyncio.sleep(0.05)
        slow.resume_reading()
        await until(lambda: len(ear.got) == 110)
        assert [body for kind, body in ear.got if kind == URGENT] == list(range(10))
        assert [body[0] for kind, body in ear.got if kind == BULK] == list(range(100))
        last = max(place for place, (kind, _) in enumerate(ear.got) if kind == URGENT)
        assert last < 10 + 5  # all but what was on its way
        for wire in (one, two):
            wire.abort(Ended("end"))

    run(main())


def test_room_is_at_the_limit_and_comes_again() -> None:
    """Limits: below BULK_ROOM nobody waits, at it everybody, and at the end nobody."""

    async def main() -> None:
        one, two, _, _, slow = await pair()
        slow.pause_reading()
        while one._bulk_octets < BULK_ROOM:
            await asyncio.wait_for(one.room(), 1)
            one.send(BULK, PIECE, bulk=True)
        waiting = [asyncio.create_task(one.room()) for _ in range(2)]
        await asyncio.sleep(0.05)
        assert not any(task.done() for task in waiting)
        slow.resume_reading()
        await asyncio.wait_for(asyncio.gather(*waiting), 5)
        assert one._bulk_octets < BULK_ROOM
        two.abort(Ended("end"))
        one.abort(Ended("end"))
        with pytest.raises(Ended):
            await one.room()

    run(main())


def test_close_lets_the_urgent_out_and_gives_up_on_who_does_not_read() -> None:
    """The last words; at most a second for them."""

    async def main() -> None:
        one, _, _, ear, slow = await pair()
        slow.pause_reading()
        for number in range(50):
            one.send(BULK, (number, PIECE), bulk=True)
        one.send(URGENT, "last")
        one.close()
        one.send(URGENT, "too late")
        slow.resume_reading()
        await until(lambda: ear.overs)
        assert ear.got[-1] == (URGENT, "last")
        assert len(ear.got) < 50
        one, two, mine, _, slow = await pair()
        slow.pause_reading()
        for _ in range(50):
            one.send(URGENT, PIECE)
        one.close()
        await until(lambda: mine.overs, 3)
        assert isinstance(mine.overs[0], Ended)
        two.abort(Ended("end"))

    run(main())


def test_after_a_bad_message_nothing_is_heard_and_a_refusal_ends_it() -> None:
    """Bad input: the listener says its last words; who is refused at the beginning gets none."""

    async def main() -> None:
        one, two, mine, ear, _ = await pair()
        for body in ("good", "bad", "after"):
            one.send(URGENT, body)
        await until(lambda: ear.bads)
        one.send(URGENT, "later")
        await asyncio.sleep(0.05)
        assert (ear.got, ear.bads, ear.overs) == ([(URGENT, "good")], ["bad"], [])
        two.send(URGENT, "trouble")
        two.close()
        await until(lambda: mine.overs)
        assert mine.got == [(URGENT, "trouble")]
        _, other, refusing, ear, _ = await pair(refuses=True)
        await until(lambda: refusing.overs and ear.overs)
        assert [str(error) for error in refusing.overs] == ["not you"]
        assert not other.open

    run(main())
