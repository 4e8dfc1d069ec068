# SPDX-License-Identifier: Apache-2.0
"""What one setting costs in a store that has many: `python -m tests.bench.commits [SETTINGS] [FOLDER]`.

Prints a row a figure: commit and its parts, the same change applied on a second store, frame size, state
hash, a whole snapshot. FOLDER is where the stores are made (flash to be measured); default: a temporary one.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from qx.model import MODELS
from qx.settings import delta, headers
from qx.settings.check import validate
from qx.settings.database import Database
from qx.settings.state import State
from qx.settings.store import Store

from .office import office

ROUNDS = 500


def row(name: str, times: list[float], unit: str = "ms", scale: float = 1e3) -> None:
    times.sort()
    p99 = times[min(len(times) - 1, len(times) * 99 // 100)]
    print(f"{name:<46} p50 {statistics.median(times) * scale:8.3f} {unit}  p99 {p99 * scale:8.3f} {unit}")


def timed(work: Callable[[int], Any], rounds: int = ROUNDS) -> list[float]:
    times: list[float] = []
    for number in range(rounds):
        began = time.perf_counter()
        work(number)
        times.append(time.perf_counter() - began)
    return times


def sqlite(file: Path, octets: bytes) -> list[float]:
    """What the same flash takes for one row, with the store's own settings of SQLite."""
    Store.create(file)
    db = Database(file, 0)

    def put(number: int) -> None:
        with db.transaction():
            db.execute("INSERT OR REPLACE INTO log VALUES(?, ?)", (number, octets))

    times = timed(put)
    db.close()
    return times


def measure(folder: Path, settings: int) -> None:
    model = MODELS["qx2000"]
    for name in ("a.db", "b.db"):
        Store.create(folder / name)
    with Store(folder / "a.db", model) as a, Store(folder / "b.db", model) as b:
        values = office(settings)
        began = time.perf_counter()
        a.commit(values, "bench", "restore")
        print(f"{f'one commit of {len(values)} settings':<46} {(time.perf_counter() - began) * 1e3:12.1f} ms")
        b.load_snapshot(a.snapshot())
        frames: list[bytes] = []
        paths = [path for path in values if path.endswith(".name")]

        def commit(number: int) -> None:
            change = {paths[number % len(paths)]: f"Changed {number}"}
            frames.append(a.commit(change, "administrator", "set").frame)

        row("commit of one setting, durable", timed(commit))
        row("the same applied on the other unit, durable", timed(lambda n: b.apply_delta(frames[n])))
        assert a.state_hash == b.state_hash
        row("  SQLite alone, one row of these octets", sqlite(folder / "floor.db", frames[0]))
        row("  validation of it", timed(lambda n: validate(a.settings, {paths[n % len(paths)]: "x"})))
        state = State.of(values)
        row("  state hash after it", timed(lambda n: state.replaced({paths[n % len(paths)]: "x"}).digest))
        row("state hash of all from nothing", timed(lambda _: State.of(values).digest, 20))
        row("whole snapshot", timed(lambda _: a.snapshot(), 20))
        head = frames[0][: delta.HEADER.size]
        row("frame header, struct", timed(lambda _: delta.header(frames[0])), "µs", 1e6)
        row("frame header, construct", timed(lambda _: headers.DELTA.parse(head)), "µs", 1e6)
        compiled = headers.DELTA.compile()
        row("frame header, construct compiled", timed(lambda _: compiled.parse(head)), "µs", 1e6)
        print(f"{'frame of one setting':<46} {len(frames[0]):12} octets")
        print(f"{'snapshot':<46} {len(a.snapshot()):12} octets")


def main(argv: list[str]) -> None:
    settings = int(argv[0]) if argv else 5000
    with tempfile.TemporaryDirectory(dir=argv[1] if len(argv) > 1 else None) as folder:
        measure(Path(folder), settings)


if __name__ == "__main__":
    main(sys.argv[1:])
