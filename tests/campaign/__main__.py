# SPDX-License-Identifier: Apache-2.0
"""`make campaign`: seeded faults on a pair, judged from outside; out/campaign/SEED.{md,json} at the end.

The pair is a lab's, or with `--vm` the emulated one. Ctrl-C or SIGTERM takes it down; what was done until
then is summed up. Exit code 0: no violation. 1: some. 2: wrong usage. 130: interrupted.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from board.lab.namespace import PROJECT

from pairs import QUICK
from pbx.service import FAST
from provenance import provenance

from . import plan
from .kinds import LAB, VM
from .lab_rack import LabRack
from .rack import Rack
from .runner import Campaign, Summary
from .vm_rack import VmRack


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="campaign", description="seeded faults on a pair")
    parser.add_argument("--steps", type=int, default=100, metavar="N")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 16))
    parser.add_argument("--from", dest="first", type=int, default=1, metavar="N", help="begin with this step")
    parser.add_argument("--kinds", default="", metavar="KIND,…", help="only these: see --list")
    among = parser.add_mutually_exclusive_group()
    among.add_argument("--calls", action="store_true", help="with Kamailio, and a call up in each step")
    among.add_argument("--vm", action="store_true", help="on the emulated pair")
    parser.add_argument("--list", action="store_true", help="print the steps and do none")
    parser.add_argument("--out", type=Path, default=PROJECT / "out" / "campaign", metavar="DIR")
    return parser.parse_args(arguments)


def _rack(options: argparse.Namespace) -> Rack:
    if options.vm:
        return VmRack(options.out / f"vm-{options.seed}")
    demo = FAST if options.calls else QUICK
    return LabRack(f"cp{os.getpid()}", options.out / f"lab-{options.seed}", demo)


def _written(summary: Summary, folder: Path) -> None:
    (folder / f"{summary.seed}.md").write_text(summary.table() + "\n")
    (folder / f"{summary.seed}.json").write_text(
        json.dumps({**summary.plain(), **provenance()}, indent=1) + "\n"
    )


def main(arguments: Sequence[str]) -> int:
    options = _options(arguments)
    kinds = VM if options.vm else LAB
    only = [word.strip() for word in options.kinds.split(",") if word.strip()]
    try:
        every = plan.steps(kinds, options.seed, options.steps, only)
        wanted = list(itertools.islice(every, options.first - 1, None))
    except ValueError as error:
        print(f"campaign: {error}", file=sys.stderr)
        return 2
    if options.list:
        print("\n".join(map(str, wanted)))
        return 0
    options.out.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()

    def say(line: str) -> None:
        print(f"[{time.monotonic() - began:6.0f} s, {options.steps}] {line}", flush=True)

    print(f"seed {options.seed}, {len(wanted)} steps", flush=True)
    campaign = Campaign(_rack(options), options.seed, options.out / f"logs-{options.seed}", say)
    interrupted = False
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # units outlive a process that just ends
    try:
        campaign.run(wanted)
    except KeyboardInterrupt:
        interrupted = True
    print("\n" + campaign.summary.table())
    _written(campaign.summary, options.out)
    return 130 if interrupted else int(bool(campaign.summary.violations))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
