# SPDX-License-Identifier: Apache-2.0
"""`make bench`: measure, print the tables, write report.html, report.md, bench.json and plots into out/bench.

Ctrl-C takes the lab down like any other end; what was measured until then is shown and written.
"""

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

from board.lab.demo import Demo
from board.lab.namespace import PROJECT, LabError
from board.lab.pair import Lab

from provenance import QX, packages, provenance

from . import board, curves, growth, report
from .curves import Topic
from .figures import PRODUCT, Row, contestants
from .growth import Growth
from .plan import QUICK, Chapter, Counts, Section, chapters, sections
from .runner import Runner, spoken
from .setting import PLAN


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description="this product and its peers, in turn")
    parser.add_argument("--quick", action="store_true", help="few of each: a look within three minutes")
    parser.add_argument("--count", type=int, metavar="N", help="how often each event is measured")
    parser.add_argument("--rows", default="", metavar="KEY,…", help="only these rows (keys of bench.json)")
    parser.add_argument("--seed", type=int, help="of the random instants within an interval")
    parser.add_argument("--out", type=Path, default=PROJECT / "out" / "bench", metavar="DIR")
    parser.add_argument("--lab", default="bench", metavar="PREFIX", help="of the network namespaces")
    return parser.parse_args(arguments)


# Besides the peers, which are called as their packages: Kamailio beside keepalived, its phones, the emulator.
_MEASURED_WITH = ("kamailio", "sip-tester", "qemu-system-arm")


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


def _measure(
    options: argparse.Namespace,
    plan: list[Section],
    boards: list[Chapter],
    topics: list[Topic],
    counts: Counts,
    facts: dict[str, Any],
) -> bool:
    """Fills rows and curves; False where it was interrupted. The lab is gone in every case."""
    folder: Path = options.out
    folder.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(folder / "lab", ignore_errors=True)
    began = time.monotonic()
    lab = Lab(options.lab, folder / "lab", _own(folder / "host"))
    whole = False
    say, reachable = spoken(began), tempfile.TemporaryDirectory(prefix="qx-bench-")
    runner = Runner(lab, folder, Path(reachable.name), counts, random.Random(facts["seed"]), say)
    try:
        lab.up(Demo(plan=PLAN), bare=True, power=False)
        for section in plan:
            runner.run(section)
        for chapter in boards:
            board.measure(chapter, counts, folder, say)
        for topic in topics:
            Growth(lab, folder / "growth", say).run(topic)
        whole = True
    except KeyboardInterrupt:
        print("interrupted: what was measured until now", flush=True)
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not leave half a lab behind
        lab.down()
        reachable.cleanup()
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
        keys = {key.strip() for key in options.rows.split(",") if key.strip()}
        plan, boards = sections(counts, keys), board.chapters(counts, keys)
        topics = growth.topics(options.quick, keys)
        if not plan and not boards and not topics:
            known = [row.key for section in sections(counts) for row in section.rows]
            known += [row.key for row in board.rows(counts)]
            known += ["growth", *(topic.key for topic in growth.topics(options.quick))]
            raise LabError(f"--rows: {options.rows}; expected some of {', '.join(known)}")
        facts = _facts(options, [row for section in plan for row in section.rows])
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, _ended)
        whole = _measure(options, plan, boards, topics, counts, facts)
    except (LabError, OSError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    found = [*chapters(plan), *boards]
    rows = [row for chapter in found for row in chapter.rows]
    print("\n".join(["", report.terminal(found), "", *curves.markdown(topics)]))
    pictures = _pictures(rows, topics, options.out, facts)
    written = report.write(options.out, found, facts, pictures, topics)
    print(f"\nwritten: {', '.join(written)} in {os.path.relpath(options.out)}")
    if not whole:
        return 130
    grown = [curve for topic in topics for curve in topic.curves if PRODUCT in curve.of]
    return int(any(one.failed(PRODUCT) for one in (*rows, *grown)))


def _facts(options: argparse.Namespace, rows: Sequence[Row]) -> dict[str, Any]:
    """Where and how it is measured, as far as that is known before."""
    seed = random.SystemRandom().randrange(1 << 32) if options.seed is None else options.seed
    given = {"QUICK": int(options.quick) or "", "COUNT": options.count, "ROWS": options.rows, "SEED": seed}
    return {
        **provenance(),
        "packages": packages([*(who for who in contestants(rows) if who != PRODUCT), *_MEASURED_WITH]),
        "seed": seed,
        "command": " ".join(["make bench", *(f"{name}={value}" for name, value in given.items() if value)]),
        "load_before": os.getloadavg()[0],
    }


def _pictures(
    rows: Sequence[Row], topics: Sequence[Topic], folder: Path, facts: dict[str, Any]
) -> list[report.Picture]:
    from . import growth_plot, plot

    commit = f"{str(facts['commit'])[:12]}{' with changes' if facts['dirty'] else ''}"
    foot = f"commit {commit}, {facts['at']}, seed {facts['seed']}; machine and versions: report.md"
    drawn = plot.draw_all(rows, folder, foot)
    if growth_plot.draw(topics, folder / "growth.png", foot):
        drawn.append(report.Picture("growth.png", "How costs grow: both axes are logarithmic."))
    return drawn


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
