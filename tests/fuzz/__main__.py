# SPDX-License-Identifier: Apache-2.0
"""`make fuzz`: every target for some seconds, C under libFuzzer with sanitizers, Python under Atheris.

Seconds of a processor: a busy machine takes longer, and tries no target less.

Each has out/fuzz/NAME.log and keeps what it finds in out/fuzz/NAME; an input that does harm is named in the
table at the end. Exit code 0: none did. 1: some did. 2: wrong usage.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from . import seed
from .targets import CORPUS, TARGETS

OUT = Path(__file__).resolve().parents[2] / "out" / "fuzz"
IN_C = ("packet", "group", "pair", "datagram")
DONE = re.compile(rb"^Done (\d+) runs", re.MULTILINE)
HARMFUL = re.compile(rb"Test unit written to (\S+)")


def command(name: str, seconds: int) -> list[str]:
    folder = OUT / name
    folder.mkdir(parents=True, exist_ok=True)
    if name not in IN_C:
        return [sys.executable, "-m", "fuzz.explore", name, str(seconds), str(folder)]
    corpus = [str(CORPUS / name)] if (CORPUS / name).exists() else []
    if name == "packet":
        seed.write(folder)
    return [str(OUT / f"fuzz_{name}"), f"-max_total_time={seconds}", "-max_len=1200", "-timeout=60",
            f"-artifact_prefix={folder}-", str(folder), *corpus]  # fmt: skip


def used(argv: Sequence[str], log: Path) -> tuple[int, float]:
    """Runs it to its end, which is after the last line of the log: exit code, and seconds of a processor."""
    with log.open("ab") as told, subprocess.Popen(argv, stdout=told, stderr=told) as fuzzer:
        try:
            _, status, cost = os.wait4(fuzzer.pid, 0)
        except BaseException:
            fuzzer.send_signal(signal.SIGTERM)
            raise
        fuzzer.returncode = os.waitstatus_to_exitcode(status)
    return fuzzer.returncode, cost.ru_utime + cost.ru_stime


def explored(name: str, seconds: int) -> tuple[int, str]:
    """Inputs that were tried, and the file of one that did harm; empty: none did."""
    log = OUT / f"{name}.log"
    log.unlink(missing_ok=True)
    code, left = 0, float(seconds)
    while code == 0 and left >= 1:
        code, cost = used(command(name, round(left)), log)
        left -= max(cost, 1)
    shutil.rmtree(OUT / f"{name}.tmp", ignore_errors=True)
    said = log.read_bytes()
    if code == 0:
        return sum(int(runs) for runs in DONE.findall(said)), ""
    harmful = HARMFUL.search(said)
    return 0, os.fsdecode(harmful[1]) if harmful else f"exit code {code}, see {log}"


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="fuzz", description="octets at random, guided by what they reach")
    parser.add_argument("--seconds", type=int, default=60, help="of a processor, for each target")
    parser.add_argument("--targets", default="", metavar="NAME,…", help="only these")
    options = parser.parse_args(arguments)
    every = [*IN_C, *TARGETS]
    names = [name.strip() for name in options.targets.split(",") if name.strip()] or every
    for name in names:
        if name not in every:
            print(f"fuzz: TARGETS: {name}: expected some of {', '.join(every)}", file=sys.stderr)
            return 2
    harmful = 0
    print(
        f"| target ({options.seconds} s of a processor each) | inputs | harmful |\n|---|---:|---|", flush=True
    )
    for name in names:
        tried, found = explored(name, options.seconds)
        harmful += bool(found)
        print(f"| {name} | {tried or ''} | {found} |", flush=True)
    return int(bool(harmful))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
