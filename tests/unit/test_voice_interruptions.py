# SPDX-License-Identifier: Apache-2.0
"""Voice data goes on where it stopped: cut lines, spoilt staging, a unit started anew (R14, R16)."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

from voice_bench import connect, disconnect, in_step, pair, run

from counts import choices, count
from waiting import until


def test_an_interrupted_file_goes_on_where_it_stopped(tmp_path: Path) -> None:
    """R16: by hash and offset, also after the Backup was started anew."""

    async def check() -> None:
        async with pair(tmp_path) as (a, b, one, two):
            await in_step(a, b)
            octets = random.Random(3).randbytes(20_000_000)
            two.cut_after = lambda: two.wire.octets_received > 12_000_000
            a.write("long.wav", octets)
            await until(lambda: not two.up and not one.up)
            assert "long.wav" not in b.files()
            await b.stop()
            there = max(f.stat().st_size for f in (b.voice / ".sync").iterdir())
            assert there > 4_000_000
            await b.start()
            b.part.role(False)
            _, line = await connect(a, b)
            await until(lambda: b.files().get("long.wav") == octets)
            assert line.wire.octets_received < 20_000_000 - there + 300_000

    run(check())


def test_what_was_spoilt_in_staging_is_fetched_anew(tmp_path: Path) -> None:
    """R14: a torn or zeroed part from before a power cut, a whole one, one too long."""

    async def check() -> None:
        async with pair(tmp_path) as (a, b, one, two):
            await in_step(a, b)
            await disconnect(one, two)
            for number, spoilt in enumerate((bytes(50_000), bytes(100_000), bytes(100_001), b"")):
                octets = random.Random(number).randbytes(100_000)
                a.write(f"{number}.wav", octets)
                from hashlib import blake2b

                name = blake2b(octets, digest_size=32).hexdigest()
                (b.voice / ".sync" / name).write_bytes(spoilt)
            await connect(a, b)
            await in_step(a, b)
            assert len(b.files()) == 4

    run(check())


def test_cut_at_any_octet_the_backup_has_whole_files_and_catches_up(tmp_path: Path) -> None:
    """R16: each file on the Backup is one that the Master had, at every cut; then all cross."""

    async def check() -> None:
        chance = choices("cuts")
        async with pair(tmp_path) as (a, b, one, two):
            await in_step(a, b)
            had: dict[str, set[bytes]] = {}

            def change() -> None:
                for _ in range(chance.randrange(1, 12)):
                    name = f"d{chance.randrange(3)}/f{chance.randrange(12)}"
                    if chance.random() < 0.2 and (a.voice / name).exists():
                        a.part.deleted(name)  # the PBX's own: more than 100 within a minute would be held
                        (a.voice / name).unlink()
                    else:
                        octets = chance.randbytes(chance.choice((0, 10, 5000, 300_000)))
                        had.setdefault(name, set()).add(octets)
                        a.write(name, octets)

            for _ in range(count(25, 500)):
                most = two.wire.octets_received + chance.randrange(60_000)
                line = chance.choice((one, two))
                line.cut_after = lambda line=line, most=most: line.wire.octets_received > most
                change()
                await asyncio.sleep(chance.random() * 0.05)
                await disconnect(one, two)
                for name, octets in b.files().items():
                    assert octets in had[name], name
                one, two = await connect(a, b)
            await in_step(a, b)

    run(check(), 280)


def test_a_change_that_was_acknowledged_is_there_after_a_power_cut_of_the_backup(tmp_path: Path) -> None:
    """R16: `flush` returns when it is durable: what a new start reads from the files and rows says so."""

    async def check() -> None:
        async with pair(tmp_path) as (a, b, one, two):
            a.write("f.wav", b"acknowledged")
            await a.part.flush(5)
            root = b.part._rows.root
            await disconnect(one, two)
            await b.stop()
            await b.start()
            assert b.part._rows.root == root
            assert b.files() == {"f.wav": b"acknowledged"}

    run(check())
