# SPDX-License-Identifier: Apache-2.0
"""Who sits on the line of two units: what he recorded says nothing, and what he cuts is no goodbye (R17)."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from peer_bench import addresses, both_up, join, run, two
from peer_strangers import connected, read_all

from counts import count
from qx import ports
from qx.redundancy.peer.message import SETTINGS
from qx.redundancy.peer.told import Down, Said, Up
from waiting import until


class Tap:
    """Stands between two units and keeps every octet that the caller sends: the caller is placed against
    `here`, and the listener hears it from `caller`, as it expects."""

    def __init__(self, here: IPv4Address, caller: IPv4Address, to: IPv4Address) -> None:
        self.here, self.caller, self.to = here, caller, to
        self.recorded: dict[int, list[bytes]] = {}
        self.servers: list[asyncio.Server] = []
        self.cut_after: int | None = None

    async def start(self) -> None:
        for port in (ports.SESSION, ports.PAIRING):
            self.servers.append(
                await asyncio.start_server(lambda r, w, p=port: self._carry(p, r, w), str(self.here), port)
            )

    async def _carry(self, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await connected(self.caller, self.to, port)
        sent: list[bytes] = self.recorded.setdefault(port, [])
        at = len(sent)
        sent.append(b"")

        async def pump(source: asyncio.StreamReader, to: asyncio.StreamWriter, ours: bool) -> None:
            with suppress(OSError):
                while octets := await source.read(1 << 16):
                    if ours:
                        sent[at] += octets
                        if self.cut_after is not None and len(sent[at]) > self.cut_after:
                            to.write(octets[: self.cut_after - len(sent[at])])
                            break
                    to.write(octets)
            to.close()

        await asyncio.gather(pump(reader, far_writer, True), pump(far_reader, writer, False))
        writer.close()

    def stop(self) -> None:
        for server in self.servers:
            server.close()


def test_a_replayed_session_says_nothing(tmp_path: Path) -> None:
    """Must show: every octet of a pairing and of a session, recorded and sent again."""

    async def main() -> None:
        async with two(tmp_path) as (a, b):
            low, _, _ = addresses()
            here, caller, _ = addresses()
            tap = Tap(here, caller, low)
            await tap.start()
            a.place(low, caller)
            b.place(caller, here)
            await both_up(a, b)
            b.session.say("master", None, 5)
            b.settings.line.send(SETTINGS.start, "secret change")
            await until(lambda: a.settings.got)
            await b.session.close("end")
            await a.tells(Down)
            tap.stop()
            a.told.clear()
            a.settings.got.clear()
            counters = a.session.counters
            pin = a.keyring.pin
            for port, recorded in tap.recorded.items():
                for octets in recorded:
                    reader, writer = await connected(caller, low, port)
                    writer.write(octets)
                    writer.write_eof()
                    await read_all(reader)
                    writer.close()
            assert set(tap.recorded) == {ports.SESSION, ports.PAIRING}
            await asyncio.sleep(0.1)
            assert a.settings.got == []
            assert not a.of(Up)
            assert not a.of(Said)
            assert a.keyring.pin == pin
            now = a.session.counters
            assert (now["sessions"], now["pairings"]) == (counters["sessions"], counters["pairings"])
            assert now["refused"] >= counters["refused"] + 2

    run(main())


@pytest.mark.parametrize("octets", [1, 100, 500, 900, 1500])
def test_a_truncated_stream_is_a_broken_connection(tmp_path: Path, octets: int) -> None:
    """Must show: cut anywhere, nothing of a half message is taken, and no cut is a goodbye."""

    async def main() -> None:
        async with two(tmp_path) as (a, b):
            join(a, b)
            await both_up(a, b)
            a.place(None, None)
            b.place(None, None)
            low, _, _ = addresses()
            here, caller, _ = addresses()
            tap = Tap(here, caller, low)
            await tap.start()
            a.told.clear()
            tap.cut_after = octets
            a.place(low, caller)
            b.place(caller, here)
            attempts: list[bytes] = []
            tap.recorded[ports.SESSION] = attempts
            least = count(2, 5)
            while len(attempts) < least:  # a further one begins when the one before has ended
                await asyncio.sleep(0.02)
                if b.settings.channel:
                    b.settings.channel.send(SETTINGS.start, bytes(5000))
            assert a.settings.got == []
            assert not [down for down in a.of(Down) if down.end.goodbye]
            tap.cut_after = None
            await both_up(a, b)
            b.settings.line.send(SETTINGS.start, "whole")
            await until(lambda: (SETTINGS.start, "whole") in a.settings.got)
            tap.stop()

    run(main())
