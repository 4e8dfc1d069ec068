# SPDX-License-Identifier: Apache-2.0
"""Until a setting is durable on the Backup: `python -m tests.bench.following [SETTINGS] [FOLDER]`.

Two stores in one process, joined by real wires over a pair of sockets (no TLS, no network: the floor of what
the pair can reach). Prints a row a figure; with `--json FILE` writes them as JSON too. The pair itself,
beside rsync, is measured by `make bench ROWS=setting`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(PROJECT / "tests/unit"), str(PROJECT / "tests/bench")]

from office import office  # noqa: E402
from settings_bench import new  # noqa: E402
from sync_bench import Line, Unit, in_step  # noqa: E402

from qx.model import MODELS  # noqa: E402
from qx.settings.values import Plain  # noqa: E402

COMMITS, PACE = 1000, 0.005  # of the latency, and seconds between two
DELTAS = 10_000


def told(figures: dict[str, Any], key: str, name: str, times: list[float]) -> None:
    """A row of milliseconds."""
    times.sort()
    values = {"median": statistics.median(times), "p99": times[len(times) * 99 // 100], "max": times[-1]}
    figures[key] = {name: round(value * 1e3, 3) for name, value in values.items()} | {"n": len(times)}
    print(f"{name:<52} " + "  ".join(f"{k} {v:8.3f}" for k, v in figures[key].items() if k != "n") + " ms")


def sent_by(line: Line) -> list[int]:
    return [end.wire.octets_sent for end in line.ends]


async def latency(a: Unit, b: Unit, line: Line, figures: dict[str, Any], values: dict[str, Plain]) -> None:
    paths = [path for path in values if path.endswith(".name")]
    whole: list[float] = []
    beyond: list[float] = []
    before = sent_by(line)
    for number in range(COMMITS):
        began = time.perf_counter()
        await a.commit({paths[number % len(paths)]: f"Changed {number}"})
        here = time.perf_counter()
        assert await a.sync.durable(a.store.position, 5.0)
        done = time.perf_counter()
        whole.append(done - began)
        beyond.append(done - here)
        await asyncio.sleep(PACE)
    told(figures, "both", "one setting: commit until durable on both", whole)
    told(figures, "backup", "  of it after the Master has it durable", beyond)
    sent, back = ((now - then) / COMMITS for now, then in zip(sent_by(line), before, strict=True))
    figures["octets"] = {"sent": round(sent), "back": round(back)}
    print(f"{'  octets there and back':<52} {sent:8.0f} {back:8.0f}")


async def catch_up(a: Unit, b: Unit, figures: dict[str, Any]) -> None:
    await a.run_in_store(_many)
    cpu, began = time.process_time(), time.perf_counter()
    line = await Line(a, b, direct=True).join()
    await in_step(a, b, 60.0)
    lasted, spent = time.perf_counter() - began, time.process_time() - cpu
    figures["catch_up"] = {"deltas": DELTAS, "seconds": round(lasted, 3), "cpu_s": round(spent, 3)}
    print(
        f"{f'{DELTAS:,} deltas that the Backup lacks':<52} {lasted:8.2f} s  {DELTAS / lasted:,.0f} a second"
    )
    await line.cut()


def _many(store: Any) -> None:
    for number in range(DELTAS):
        store.commit({"mail.user": f"u{number}"}, "bench", "set")


async def reconcile(a: Unit, line: Line, figures: dict[str, Any]) -> None:
    before, cpu = sum(sent_by(line)), time.process_time()
    for _ in range(20):
        a.sync.reconcile()
        await asyncio.sleep(0.02)
    octets = (sum(sent_by(line)) - before) / 20
    figures["reconcile"] = {"octets": octets, "cpu_ms": round((time.process_time() - cpu) * 50, 3)}
    print(f"{'a comparison of what is the same: octets':<52} {octets:8.0f}")


async def measure(folder: Path, settings: int, figures: dict[str, Any]) -> None:
    model = MODELS["qx2000"]
    values: dict[str, Plain] = {**office(settings)}
    a = Unit(new(folder / "a"), "A", model=model)
    b = Unit(new(folder / "b"), "B", model=model)
    a.store.commit(values, "bench", "restore")
    a.sync.role(True)
    b.sync.role(False)
    began = time.perf_counter()
    line = await Line(a, b, direct=True).join()
    await in_step(a, b, 60.0)
    lasted = time.perf_counter() - began
    figures["first_copy"] = {"seconds": round(lasted, 3), "octets": sum(sent_by(line))}
    print(
        f"{f'first copy of {len(values):,} settings':<52} {lasted * 1e3:8.1f} ms  "
        f"{sum(sent_by(line)):,} octets"
    )
    await latency(a, b, line, figures, values)
    await reconcile(a, line, figures)
    await line.cut()
    await catch_up(a, b, figures)
    a.close()
    b.close()


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="following", description="settings from Master to Backup")
    parser.add_argument("settings", nargs="?", type=int, default=5000)
    parser.add_argument("folder", nargs="?", help="where the stores are made; default: a temporary one")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args(argv)
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        asyncio.run(measure(Path(folder), options.settings, figures))
    figures["resident_kib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
