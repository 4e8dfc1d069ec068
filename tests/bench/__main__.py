# SPDX-License-Identifier: Apache-2.0
"""`make bench`: measure, print the table, write bench.md, bench.json and takeover.png into out/bench.

Ctrl-C takes the lab down like any other end; what was measured until then is shown and written.
"""

import argparse
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

from board.lab.demo import Demo
from board.lab.namespace import PROJECT, LabError
from board.lab.pair import Lab

from provenance import QX, provenance

from . import report
from .figures import PRODUCT, Row
from .plan import QUICK, Counts, Section, sections
from .runner import Runner, spoken
from .setting import PLAN


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description="keepalived and this product, in turn")
    parser.add_argument("--quick", action="store_true", help="few of each: a look within three minutes")
    parser.add_argument("--count", type=int, metavar="N", help="how often each event is measured")
    parser.add_argument("--rows", default="", metavar="KEY,…", help="only these rows (keys of bench.json)")
    parser.add_argument("--seed", type=int, help="of the random instants within an interval")
    parser.add_argument("--out", type=Path, default=PROJECT / "out" / "bench", metavar="DIR")
    parser.add_argument("--lab", default="bench", metavar="PREFIX", help="of the network namespaces")
    return parser.parse_args(arguments)


def _counts(options: argparse.Namespace) -> Counts:
    counts = QUICK if options.quick else Counts()
    if options.count is not None:
        if options.count < 1:
            raise LabError(f"--count: {options.count}; expected at least 1")
        counts = replace(
            counts, slow=options.count, fast=options.count, kill_all=min(options.count, counts.kill_all)
        )
    return counts


def _ended(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _own(folder: Path) -> Path:
    """A copy of the executable, so that one and the same is measured whatever is built meanwhile."""
    if not QX.exists():
        raise LabError("the executable is not there: run make build, or set QX")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "site-packages").symlink_to((QX.parent / "site-packages").resolve())
    return Path(shutil.copy2(QX, folder / "qx"))


def _measure(options: argparse.Namespace, plan: list[Section], counts: Counts, facts: dict[str, Any]) -> bool:
    """Fills the plan's rows; False where it was interrupted. The lab is gone in every case."""
    folder: Path = options.out
    folder.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(folder / "lab", ignore_errors=True)
    began = time.monotonic()
    lab = Lab(options.lab, folder / "lab", _own(folder / "host"))
    whole = False
    runner = Runner(lab, folder, counts, random.Random(facts["seed"]), spoken(began))
    try:
        lab.up(Demo(plan=PLAN), bare=True, power=False)
        for section in plan:
            runner.run(section)
        whole = True
    except KeyboardInterrupt:
        print("interrupted: what was measured until now", flush=True)
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not leave half a lab behind
        lab.down()
    facts["commands"] = runner.commands
    facts["lasted_s"] = round(time.monotonic() - began, 1)
    return whole


def main(arguments: Sequence[str]) -> int:
    """0: all measured. 1: the product failed at something, or nothing could be run. 130: interrupted."""
    options = _options(arguments)
    try:
        if os.geteuid() != 0:
            raise LabError("network namespaces need root")
        counts = _counts(options)
        plan = sections(counts, options.rows)
        if not plan:
            known = ", ".join(row.key for section in sections(counts) for row in section.rows)
            raise LabError(f"--rows: {options.rows}; expected some of {known}")
        seed = random.SystemRandom().randrange(1 << 32) if options.seed is None else options.seed
        facts: dict[str, Any] = {**provenance(), "seed": seed, "load_before": os.getloadavg()[0]}
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, _ended)
        whole = _measure(options, plan, counts, facts)
    except (LabError, OSError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    rows = [row for section in plan for row in section.rows]
    print("\n" + report.terminal(rows))
    report.write(options.out, rows, facts)
    _draw(rows, options.out, facts)
    print(f"\nwritten: bench.md, bench.json, takeover.png in {os.path.relpath(options.out)}")
    if not whole:
        return 130
    return int(any(row.failed(PRODUCT) for row in rows))


def _draw(rows: list[Row], folder: Path, facts: dict[str, Any]) -> None:
    from . import plot

    commit = f"{str(facts['commit'])[:12]}{' with changes' if facts['dirty'] else ''}"
    foot = f"commit {commit}, {facts['at']}, seed {facts['seed']}; machine and versions: bench.md"
    plot.draw(rows, folder / "takeover.png", foot)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
