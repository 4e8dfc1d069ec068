# SPDX-License-Identifier: Apache-2.0
"""Who is not the peer: refused, counted, told once; nothing of him is read further than it must be (R17)."""

from __future__ import annotations

import asyncio
import resource
import ssl
import struct
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from peer_bench import Unit, addresses, both_up, join, run, two, until
from trust_bench import TODAY, A, B, C, issued

from counts import count
from qx import ports
from qx.packing import pack
from qx.redundancy.peer import door, talk
from qx.redundancy.peer.introduction import MEET, MESSAGE_MAX, PROOF
from qx.redundancy.peer.message import BODY_MAX, HEADER, SETTINGS, build
from qx.redundancy.peer.talk import HELLO, HELLO_MAX, WELCOME
from qx.redundancy.peer.told import Down, Refused, Said, Up
from qx.trust import tls
from qx.trust.certificate import Certificate, own_certificate
from qx.trust.pairing import Exchange, Role, nonce, proof
from qx.trust.secret import Secret

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def connected(
    source: IPv4Address, to: IPv4Address, port: int, context: ssl.SSLContext | None = None
) -> Streams:
    """A connection of a stranger, from an address of his choice."""
    return await asyncio.open_connection(
        str(to), port, local_addr=(str(source), 0), ssl=context, server_hostname="" if context else None
    )


async def read_all(reader: asyncio.StreamReader) -> bytes:
    """What comes until the end, however it ends."""
    got = b""
    with suppress(OSError):
        while octets := await asyncio.wait_for(reader.read(1 << 16), 8):
            got += octets
    return got


async def message(reader: asyncio.StreamReader) -> tuple[int, Any]:
    from qx.packing import unpack

    kind, length = HEADER.unpack(await reader.readexactly(HEADER.size))
    return kind, unpack(await reader.readexactly(length))


@asynccontextmanager
async def listening(folder: Path, paired: bool = True) -> AsyncIterator[tuple[Unit, Unit, IPv4Address]]:
    """Unit a listens and waits for b, which it has met before if `paired`, and which is away now; the third
    address is a stranger's. b keeps its keyring and certificate, for strangers who have stolen some of it."""
    async with two(folder) as (a, b):
        low, high, third = addresses()
        a.place(low, high)
        if paired:
            b.place(high, low)
            await both_up(a, b)
            b.place(None, None)
            b.at = (high, low)
            await a.tells(Down)
        else:
            await asyncio.sleep(0.05)
        a.told.clear()
        yield a, b, third


def stranger(folder: Path, serial: str = B) -> Certificate:
    return own_certificate(folder, serial)


@pytest.mark.parametrize("port", [ports.SESSION, ports.PAIRING])
def test_who_calls_from_another_address_is_refused_before_a_word(tmp_path: Path, port: int) -> None:
    """Must show: a third host on the LAN: refused, counted by its address, told once."""

    async def main() -> None:
        async with listening(tmp_path) as (a, _, third):
            low, _ = a.at
            assert low
            for _ in range(5):
                reader, writer = await connected(third, low, port)
                assert await read_all(reader) == b""
                writer.close()
            await until(lambda: a.session.counters["refused_source"] == 5)
            assert a.session.refused_by_source == {str(third): 5}
            assert [(told.source, told.reason) for told in a.of(Refused)] == [(str(third), "source")]
            assert not a.session.up

    run(main())


def test_the_peers_address_without_its_certificate_is_refused(tmp_path: Path) -> None:
    """Must show: a third host without the pair key, at the peer's address: no certificate, another, plain
    text; each counted under its name and told once."""

    async def main() -> None:
        async with listening(tmp_path) as (a, b, _):
            low, high = a.at
            assert low
            assert high
            bare = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            bare.check_hostname, bare.verify_mode = False, ssl.CERT_NONE
            old = tls.session_context(b.certificate, a.certificate.der, server=False)
            old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_2
            wrong = tls.session_context(stranger(tmp_path / "x"), a.certificate.der, server=False)
            for context, reason in (
                (bare, "certificate"),
                (wrong, "certificate"),
                (old, "tls"),
                (None, "tls"),
            ):
                before = a.session.counters[f"refused_{reason}"]
                with suppress(OSError):
                    reader, writer = await connected(high, low, ports.SESSION, context)
                    writer.write(build(HELLO, b.session.hello().packed()) * 2)
                    assert await read_all(reader) == b""
                    writer.close()
                await until(lambda n=before, r=reason: a.session.counters[f"refused_{r}"] == n + 1)  # type: ignore[misc]
            assert [told.reason for told in a.of(Refused)] == ["certificate", "tls"]
            assert not a.of(Up)
            assert a.settings.got == []
            assert a.session.counters["refused"] == 4

    run(main())


async def pair_as(
    a: Unit, certificate: Certificate, pair: Secret, changes: dict[str, Any] | None = None
) -> list[tuple[int, Any]]:
    """Tries to pair from the peer's address; what came back."""
    low, high = a.at
    assert low
    assert high
    context = tls.pairing_context(certificate, server=False)
    reader, writer = await connected(high, low, ports.PAIRING, context)
    shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    ours, got = nonce(), []
    with suppress(OSError, asyncio.IncompleteReadError):
        writer.write(build(MEET, {"nonce": ours, "certificate": certificate.der}))
        got.append(await message(reader))
        exchange = Exchange(ours, got[0][1]["nonce"], certificate.der, shown)
        fields = {"confirmed": False, "proof": proof(pair, Role.CLIENT, exchange), "waiting": False}
        if changes and "reflected" in changes:
            fields["proof"] = got[0][1]["proof"]
        writer.write(build(PROOF, fields))
        got.append(await message(reader))
    writer.close()
    return got


def test_another_pairs_key_and_another_serial_do_not_pair(tmp_path: Path) -> None:
    """Must show: with another pair's key; R17: no certificate is pinned without the proof, whether the unit
    has a pin or none. With the right key the same stranger is let in: so it is the proof that counts."""

    async def main(paired: bool) -> None:
        async with listening(tmp_path / str(paired), paired) as (a, b, _):
            pin = a.keyring.pin
            key = b.keyring.pair_secret()
            assert key
            own = stranger(tmp_path / str(paired) / "x")
            for certificate, pair, changes, reason, answers in (
                (own, Secret(bytes(32)), None, "proof", 1),
                (own, key, {"reflected": True}, "proof", 1),
                (stranger(tmp_path / str(paired) / "y", C), key, None, "serial", 0),
            ):
                before = a.session.counters[f"refused_{reason}"]
                got = await pair_as(a, certificate, pair, changes)
                assert len(got) == answers
                await until(lambda n=before, r=reason: a.session.counters[f"refused_{r}"] == n + 1)  # type: ignore[misc]
            assert a.keyring.pin == pin
            assert [told.reason for told in a.of(Refused)] == ["proof", "serial"]
            assert len(await pair_as(a, own, key)) == 2
            pinned = a.keyring.pin.waiting if paired else a.keyring.pin.certificate
            assert pinned == own.der

    run(main(True))
    run(main(False))


def test_two_units_with_keys_of_other_sets_do_not_pair_and_say_why(tmp_path: Path) -> None:
    """Must show, R5: the vendor's keys for these serials, but of two sets: refused by the proof on both."""

    async def main() -> None:
        async with two(tmp_path, (issued()[0], issued()[1])) as (a, b):
            join(a, b)
            for unit in (a, b):
                assert (await unit.tells(Refused)).reason == "proof"
                assert not unit.session.up
                assert unit.keyring.pin.certificate is None
                assert unit.session.mismatches() == []  # nobody has authenticated
                (shown,) = unit.session.claims()
                assert (shown.parameter, shown.theirs) == ("licence", "not of our set")
                assert f"{unit.identity.serial} with " in shown.ours
            assert "has no proof of our pair key" in b.session.why
            good = issued()
            for unit, key in zip((a, b), good, strict=True):
                unit.keyring.install(key, TODAY)
                unit.session.keys_changed()
                assert unit.session.claims() == []
            await both_up(a, b)
            assert a.session.claims() == b.session.claims() == []

    run(main())


def test_a_caller_tells_an_impostor_nothing(tmp_path: Path) -> None:
    """R17: who sits at the peer's address and answers has neither the pinned certificate nor a proof."""

    async def main() -> None:
        async with two(tmp_path) as (a, b):
            join(a, b)
            await both_up(a, b)
            low, _ = a.at
            await a.session.close("off")
            heard: list[bytes] = []

            async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                heard.append(await read_all(reader))
                writer.close()

            own = stranger(tmp_path / "x", A)
            servers = [
                await asyncio.start_server(take, str(low), port, ssl=tls.pairing_context(own, server=True))
                for port in (ports.SESSION, ports.PAIRING)
            ]
            b.told.clear()
            assert (await b.tells(Refused)).reason == "certificate"
            await until(lambda: any(heard))
            kind, length = HEADER.unpack_from(max(heard))
            assert (kind, length + HEADER.size) == (MEET, len(max(heard)))  # a nonce and a certificate
            assert b.keyring.pin.waiting is None
            for server in servers:
                server.close()
            assert not b.of(Up)

    run(main())


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


def header(kind: int, length: int) -> bytes:
    return struct.pack(">II", kind << 24, length)


def test_a_length_of_2_gb_costs_nothing(tmp_path: Path) -> None:
    """Must show: refused by its header, in pairing and from the peer itself; no memory is taken for it."""

    async def main() -> None:
        async with listening(tmp_path) as (a, b, _):
            low, high = a.at
            assert low
            assert high
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
        async with listening(tmp_path) as (a, b, _):
            low, high = a.at
            assert low
            assert high
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
        async with listening(tmp_path) as (a, b, _):
            low, high = a.at
            assert low
            assert high
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
        async with listening(tmp_path) as (a, b, _):
            low, high = a.at
            assert low
            assert high
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


def test_a_flash_that_refuses_the_pin_pairs_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bad input, R17: what is not stored is not pinned, and it is said; the next attempt may succeed."""

    async def main() -> None:
        async with two(tmp_path) as (a, b):
            (a.paths.trust / "peer.new").mkdir()  # a file cannot be made in its place
            join(a, b)
            await until(lambda: "not stored" in a.session.why)
            assert a.keyring.pin.certificate is None
            assert not a.session.up
            assert not b.session.up
            (a.paths.trust / "peer.new").rmdir()
            b.session.nudge()
            await both_up(a, b)

    run(main())


def test_a_slow_flash_holds_up_nothing_on_the_loop(tmp_path: Path) -> None:
    """Must show: while a pin is written for a second, the loop turns; and then they meet."""

    async def main() -> None:
        async with two(tmp_path) as (a, b):
            met = a.keyring.met

            def slowly(*arguments: Any) -> Any:
                time.sleep(1)
                return met(*arguments)

            a.keyring.met = slowly  # type: ignore[method-assign]
            join(a, b)
            longest = 0.0
            loop = asyncio.get_running_loop()
            while not (a.session.up and b.session.up):
                start = loop.time()
                await asyncio.sleep(0.005)
                longest = max(longest, loop.time() - start)
            assert longest < 0.5

    run(main())
