# SPDX-License-Identifier: Apache-2.0
"""Who is not the peer: refused, counted, told once; nothing of him is read further than it must be, and no
certificate is pinned without proof (R17)."""

from __future__ import annotations

import asyncio
import ssl
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from peer_bench import Unit, both_up, join, run, two
from peer_strangers import connected, listening, message, read_all
from trust_bench import TODAY, A, B, C, issued

from qx import ports
from qx.redundancy.peer.introduction import MEET, PROOF
from qx.redundancy.peer.message import HEADER, build
from qx.redundancy.peer.talk import HELLO
from qx.redundancy.peer.told import Refused, Up
from qx.trust import tls
from qx.trust.certificate import Certificate, own_certificate
from qx.trust.pairing import Exchange, Role, nonce, proof
from qx.trust.secret import Secret
from waiting import until


def stranger(folder: Path, serial: str = B) -> Certificate:
    return own_certificate(folder, serial)


@pytest.mark.parametrize("port", [ports.SESSION, ports.PAIRING])
def test_who_calls_from_another_address_is_refused_before_a_word(tmp_path: Path, port: int) -> None:
    """Must show: a third host on the LAN: refused, counted by its address, told once."""

    async def main() -> None:
        async with listening(tmp_path) as (a, _, (low, _, third)):
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
        async with listening(tmp_path) as (a, b, (low, high, _)):
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
