# SPDX-License-Identifier: Apache-2.0
"""How long it takes until a setting is durable on the Backup, without TLS and network (issue 3)."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from sync_bench import Line, Unit, in_step, run

from bench.office import office
from counts import bound, count
from qx.model import MODELS
from qx.settings.store import Store


def test_a_setting_among_five_thousand_is_durable_in_a_moment(
    tmp_path: Path, record_figures: Callable[..., None]
) -> None:
    """R15: median 2 ms, 99th percentile 10 ms; and no more octets than the change has."""

    async def work(a: Unit, b: Unit) -> None:
        values = office(5000)
        await a.commit(values)
        a.sync.role(True)
        b.sync.role(False)
        line = await Line(a, b, direct=True).join()
        await in_step(a, b)
        paths = [path for path in values if path.endswith(".name")]
        sent = [end.wire.octets_sent for end in line.ends]
        rounds = count(200, 2000)
        times: list[float] = []
        for number in range(rounds):
            began = time.perf_counter()
            await a.commit({paths[number % len(paths)]: f"Changed {number}"})
            assert await a.sync.durable(a.store.position, 5.0)
            times.append((time.perf_counter() - began) * 1e3)
            await asyncio.sleep(0.002)
        spent = sum(end.wire.octets_sent for end in line.ends) - sum(sent)
        times.sort()
        median, p99 = statistics.median(times), times[len(times) * 99 // 100]
        record_figures(median_ms=median, p99_ms=p99, octets=spent / rounds)
        assert median <= bound(2.0, 20.0)
        assert p99 <= bound(10.0, 200.0)
        assert spent / rounds < 300
        await line.cut()

    run(work, tmp_path, model=MODELS["qx2000"])


def test_ten_thousand_deltas_are_caught_up_in_seconds(
    tmp_path: Path, record_figures: Callable[..., None]
) -> None:
    """R16: a Backup that was away; with one flush for many deltas."""
    deltas = count(2000, 10_000)

    async def work(a: Unit, b: Unit) -> None:
        await a.run_in_store(lambda store: _commits(store, deltas))
        b.store.apply_deltas(a.store.log.frames(0, 1))
        a.sync.role(True)
        b.sync.role(False)
        flushes = 0

        def seen(words: str) -> None:
            nonlocal flushes
            flushes += words == "COMMIT"

        b.store._db._db.set_trace_callback(seen)
        began = time.perf_counter()
        await Line(a, b, direct=True).join()
        await in_step(a, b, 60.0)
        lasted = time.perf_counter() - began
        b.store._db._db.set_trace_callback(None)
        record_figures(deltas_a_second=deltas / lasted, flushes=flushes)
        assert b.store.log.frames(0, 1 << 30) == a.store.log.frames(0, 1 << 30)
        assert lasted < bound(5.0, 30.0)
        assert flushes < deltas / 20

    run(work, tmp_path)


def _commits(store: Store, deltas: int) -> None:
    for number in range(deltas):
        store.commit({"mail.user": f"u{number}"}, "test", "set")
