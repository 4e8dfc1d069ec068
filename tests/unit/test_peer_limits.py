# SPDX-License-Identifier: Apache-2.0
"""What a connection may cost: octets, time, and how many at once (R17)."""

from __future__ import annotations

import asyncio
import resource
import struct
import time
from pathlib import Path

import pytest
from peer_bench import both_up, join, run, two
from peer_strangers import Streams, connected, listening, message, read_all

from qx import ports
from qx.packing import pack
from qx.redundancy.peer import door, talk
from qx.redundancy.peer.introduction import MEET, MESSAGE_MAX
from qx.redundancy.peer.message import BODY_MAX, SETTINGS, build
from qx.redundancy.peer.talk import HELLO, HELLO_MAX, WELCOME
from qx.redundancy.peer.told import Down, Refused, Up
from qx.trust import tls
from waiting import until


def header(kind: int, length: int) -> bytes:
    return struct.pack(">II", kind << 24, length)


def test_a_length_of_2_gb_costs_nothing(tmp_path: Path) -> None:
    """Must show: refused by its header, in pairing and from the peer itself; no memory is taken for it."""

    async def main() -> None:
        async with listening(tmp_path) as (a, b, (low, high, _)):
            await a.session.credentials.context(True, None)
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            context = tls.pairing_context(b.certificate, server=False)
            for octets in (header(MEET, 0x7FFFFFFF), header(MEET, MESSAGE_MAX + 1), b"GET / HTTP/1.0\r\n"):
                count = a.session.counters["refused_message"]
                reader, writer = await connected(high, low, ports.PAIRING, context)
                writer.write(octets)
                assert await read_all(reader) == b""
                writer.close()
                await until(lambda n=count: a.session.counters["refused_message"] == n + 1)  # type: ignore[misc]
            context = tls.session_context(b.certificate, a.certificate.der, server=False)
            for said, length, why in (
                (False, 0x7FFFFFFF, f"expected at most {HELLO_MAX}"),
                (False, HELLO_MAX + 1, f"expected at most {HELLO_MAX}"),
                (True, 0x7FFFFFFF, f"expected at most {BODY_MAX}"),
                (True, BODY_MAX + 1, f"expected at most {BODY_MAX}"),
            ):
                reader, writer = await connected(high, low, ports.SESSION, context)
                if said:
                    writer.write(build(HELLO, b.session.hello().packed()))
                    assert (await message(reader))[0] == WELCOME
                writer.write(header(SETTINGS.start, length))
                kind, line = await message(reader)
                while kind == talk.PING:
                    kind, line = await message(reader)
                assert (kind, line[-len(why) :]) == (talk.TROUBLE, why)
                writer.close()
            assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 8 << 10
            assert a.settings.got == []

    run(main())


def test_a_body_of_the_longest_length_is_taken(tmp_path: Path) -> None:
    """Limits: at BODY_MAX; one octet more is not built."""

    async def main() -> None:
        async with two(tmp_path) as (a, b):
            join(a, b)
            await both_up(a, b)
            body = bytes(BODY_MAX - 5)  # msgpack says its length in 5 octets
            assert len(pack(body)) == BODY_MAX
            a.settings.line.send(SETTINGS.start, body)
            with pytest.raises(ValueError, match="expected at most"):
                a.settings.line.send(SETTINGS.start, body + b"x")
            await until(lambda: b.settings.got)
            assert b.settings.got == [(SETTINGS.start, body)]
            assert not b.of(Down)

    run(main())


def test_a_few_may_try_at_once_and_none_for_long(tmp_path: Path) -> None:
    """Limits: 8 connections that have not authenticated, 3 s each; the ninth is refused; then the peer."""

    async def main() -> None:
        async with listening(tmp_path) as (a, b, (low, high, _)):
            start = time.monotonic()
            idle = [
                await connected(high, low, (ports.SESSION, ports.PAIRING)[number % 2])
                for number in range(door.UNPROVEN_MAX)
            ]
            await asyncio.sleep(0.2)
            assert a.session.counters["refused"] == 0
            reader, writer = await connected(high, low, ports.SESSION)
            assert await read_all(reader) == b""
            assert time.monotonic() - start < 2
            assert a.session.counters["refused_limit"] == 1
            writer.close()
            for reader, writer in idle:
                assert await read_all(reader) == b""
                writer.close()
            assert 2.9 < time.monotonic() - start < 4
            assert a.session.counters["refused_time"] == door.UNPROVEN_MAX
            assert [told.reason for told in a.of(Refused)] == ["limit", "time"]
            b.place(high, low)
            await both_up(a, b)

    run(main())


def test_who_has_the_certificate_and_says_nothing_is_dropped_after_3_s(tmp_path: Path) -> None:
    """Handshake limit: TLS alone is no session, and holds none."""

    async def main() -> None:
        async with listening(tmp_path) as (a, b, (low, high, _)):
            context = tls.session_context(b.certificate, a.certificate.der, server=False)
            start = time.monotonic()
            reader, writer = await connected(high, low, ports.SESSION, context)
            writer.write(header(HELLO, 1000) + b"\x80")  # and not the rest
            await read_all(reader)
            assert 2.8 < time.monotonic() - start < 4
            writer.close()
            assert not a.of(Up)

    run(main())


def test_a_second_session_of_the_peer_takes_the_place_of_the_first(tmp_path: Path) -> None:
    """The peer was cut off and is back before its silence was noticed: the new connection counts."""

    async def main() -> None:
        async with listening(tmp_path) as (a, b, (low, high, _)):
            context = tls.session_context(b.certificate, a.certificate.der, server=False)
            ends: list[Streams] = []
            for number in range(3):
                reader, writer = await connected(high, low, ports.SESSION, context)
                ends.append((reader, writer))
                writer.write(build(HELLO, b.session.hello().packed()))
                assert (await message(reader))[0] == WELCOME
                await a.tells(Up, number + 1)
            assert [told.end.why for told in a.of(Down)] == ["the other unit connected anew"] * 2
            assert (a.settings.starts, a.settings.ends) == (4, 3)  # one of the pairing before
            assert a.session.up
            for _, writer in ends:
                writer.close()
            await a.tells(Down, 3)

    run(main())
