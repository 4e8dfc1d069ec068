# SPDX-License-Identifier: Apache-2.0
"""`make fuzz`: every target for some seconds, C under libFuzzer with sanitizers, Python under Atheris.

Each has out/fuzz/NAME.log and keeps what it finds in out/fuzz/NAME; an input that does harm is named in the
table at the end. Exit code 0: none did. 1: some did. 2: wrong usage.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
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


def explored(name: str, seconds: int) -> tuple[int, str]:
    """Inputs that were tried, and the file of one that did harm; empty: none did."""
    log = OUT / f"{name}.log"
    with log.open("wb") as told:
        code = subprocess.run(command(name, seconds), stdout=told, stderr=told, check=False).returncode
    shutil.rmtree(OUT / f"{name}.tmp", ignore_errors=True)
    said = log.read_bytes()
    done, harmful = DONE.search(said), HARMFUL.search(said)
    if code == 0:
        return int(done[1]) if done else 0, ""
    return 0, os.fsdecode(harmful[1]) if harmful else f"exit code {code}, see {log}"


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="fuzz", description="octets at random, guided by what they reach")
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--targets", default="", metavar="NAME,…", help="only these")
    options = parser.parse_args(arguments)
    every = [*IN_C, *TARGETS]
    names = [name.strip() for name in options.targets.split(",") if name.strip()] or every
    for name in names:
        if name not in every:
            print(f"fuzz: TARGETS: {name}: expected some of {', '.join(every)}", file=sys.stderr)
            return 2
    harmful = 0
    print(f"| target ({options.seconds} s each) | inputs | harmful |\n|---|---:|---|", flush=True)
    for name in names:
        tried, found = explored(name, options.seconds)
        harmful += bool(found)
        print(f"| {name} | {tried or ''} | {found} |", flush=True)
    return int(bool(harmful))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
