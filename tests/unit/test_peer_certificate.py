# SPDX-License-Identifier: Apache-2.0
"""A certificate that changed: no session until somebody confirmed it on both units (R17)."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest
from peer_bench import both_up, join, run, two

from counts import bound
from qx.redundancy.peer.told import CertificateChanged, Paired
from qx.trust.pairing import Pin, fingerprint
from waiting import until


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
