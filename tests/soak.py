# SPDX-License-Identifier: Apache-2.0
"""`make soak PART=…`: the issues' full counts, in parts that can be resumed.

A part is a test file, named without `test_` and with `-` for `_` (power-cut is tests/lab/test_power_cut.py),
a folder of such files (interop), or `all`. Each file runs with QX_SOAK=1 and leaves out/soak/PART.json:
commit, machine, counts, seed, each test's outcome and figures. A file that passed at this commit, in a clean
tree both times, is not run again unless FORCE=1. Without a part, the parts and their last results are listed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import subprocess
import sys
import time
import xml.etree.ElementTree as Tree
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from provenance import PROJECT, commit, now, provenance

TESTS = PROJECT / "tests"
FOLDERS = ("lab", "wire", "interop", "pbx")  # every file in them is a part; elsewhere those that count rounds
TIMEOUT_S = 3600  # of one test
_ROUNDS = re.compile(r"^(\d+) rounds \(", re.MULTILINE)
_COUNTING = re.compile(r"^\s*(from counts import|import counts)", re.MULTILINE)


# ── which parts there are ──


def parts() -> dict[str, Path]:
    """Name to test file."""
    found = [file for folder in FOLDERS for file in sorted((TESTS / folder).glob("test_*.py"))]
    found += [
        file
        for file in sorted(TESTS.glob("*/test_*.py"))
        if file.parent.name not in FOLDERS and _COUNTING.search(file.read_text())
    ]
    return {_name(file, found): file for file in found}


def _name(file: Path, among: Iterable[Path]) -> str:
    """The file's name, with its folder's where another folder has the same."""
    name = file.stem.removeprefix("test_").replace("_", "-")
    alone = sum(other.stem == file.stem for other in among) == 1
    return name if alone else f"{file.parent.name}-{name}"


def chosen(wanted: str, known: Mapping[str, Path]) -> list[str]:
    """The parts of `a,b`, of a folder or all; ValueError names what is none."""
    names: list[str] = []
    for word in filter(None, (word.strip() for word in wanted.split(","))):
        found = [name for name, file in known.items() if word in (name, file.parent.name, "all")]
        if not found:
            raise ValueError(f"PART={word}: there is no such part; make soak lists them")
        names += [name for name in found if name not in names]
    return names


# ── results ──


def outcomes(junit: str) -> list[dict[str, Any]]:
    """The tests of a junit file: name, outcome, seconds, rounds, figures, and what a failure said."""
    found: list[dict[str, Any]] = []
    for case in Tree.fromstring(junit).iter("testcase"):
        said = "".join(out.text or "" for out in case.findall("system-out"))
        bad = next((child for child in case if child.tag in ("failure", "error", "skipped")), None)
        outcome = "passed" if bad is None else {"failure": "failed"}.get(bad.tag, bad.tag)
        found.append(
            {
                "name": case.get("name"),
                "outcome": outcome,
                "seconds": float(case.get("time", "0")),
                "rounds": [int(rounds) for rounds in _ROUNDS.findall(said)],
                "figures": {
                    str(kept.get("name")).removeprefix("figure:"): json.loads(kept.get("value", "null"))
                    for kept in case.iter("property")
                    if str(kept.get("name")).startswith("figure:")
                },
                "said": "" if bad is None else (bad.get("message") or bad.text or "")[:2000],
            }
        )
    return found


def counted(tests: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    return {
        outcome: sum(test["outcome"] == outcome for test in tests)
        for outcome in ("passed", "failed", "error", "skipped")
    }


def good(result: Mapping[str, Any]) -> bool:
    """Whether the part was run to its end and nothing in it failed; what was skipped proves nothing."""
    return result["exit"] == 0 and result["counts"]["passed"] > 0 and not result["counts"]["skipped"]


def stands(result: Mapping[str, Any] | None, here: Mapping[str, Any]) -> bool:
    """Whether a result of before need not be measured again at this commit."""
    if not result or result["dirty"] or here["dirty"]:
        return False
    return good(result) and result["commit"] == here["commit"]


class Results:
    """The folder of results: PART.json, and beside it PART.log and PART.xml of the last run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def last(self, part: str) -> dict[str, Any] | None:
        try:
            return json.loads((self.folder / f"{part}.json").read_text())
        except (FileNotFoundError, ValueError):
            return None  # never run, or interrupted while writing

    def run(self, part: str, file: Path, seed: int) -> dict[str, Any]:
        """Runs the part; its output goes to terminal and log. An interrupted run leaves no result."""
        junit = self.folder / f"{part}.xml"
        junit.unlink(missing_ok=True)
        argv = [
            sys.executable, "-m", "pytest", "-v", f"--timeout={TIMEOUT_S}", f"--junitxml={junit}",
            "-o", "junit_logging=system-out", str(file.relative_to(PROJECT)),
        ]  # fmt: skip
        environ = {**os.environ, "QX_SOAK": "1", "QX_SEED": str(seed)}
        facts, started, began = provenance(), now(), time.monotonic()
        with (self.folder / f"{part}.log").open("w") as log:
            code = _watched(argv, environ, log)
        if code == 2:  # pytest was interrupted
            raise KeyboardInterrupt
        tests = outcomes(junit.read_text()) if junit.exists() else []
        result = {
            "part": part, "file": str(file.relative_to(PROJECT)), "started": started, "ended": now(),
            "seconds": round(time.monotonic() - began, 1), "seed": seed, "exit": code,
            "counts": counted(tests), **facts, "tests": tests,
        }  # fmt: skip
        fresh = self.folder / f"{part}.json.new"
        fresh.write_text(json.dumps(result, indent=1) + "\n")
        fresh.replace(self.folder / f"{part}.json")
        return result


def _watched(argv: Sequence[str], environ: Mapping[str, str], log: Any) -> int:
    """Runs a command and shows its output while keeping it. Ctrl-C reaches the command as well."""
    with subprocess.Popen(
        argv, cwd=PROJECT, env=dict(environ), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout
        try:
            for line in process.stdout:
                print(line, end="", flush=True)
                log.write(line)
        except KeyboardInterrupt:
            process.wait()  # it has the signal as well, and takes its labs down
            raise
        return process.wait()


# ── the command ──


def line(part: str, result: Mapping[str, Any] | None, here: Mapping[str, Any]) -> str:
    """A part and its last result, for people."""
    if result is None:
        return f"{part:<24} never run"
    told = ", ".join(f"{number} {outcome}" for outcome, number in result["counts"].items() if number)
    where = "this commit" if result["commit"] == here["commit"] else f"commit {result['commit'][:12]}"
    if result["dirty"]:
        where += " with changes"
    verdict = "ok  " if good(result) else "FAIL"
    return (
        f"{part:<24} {verdict} {told or 'no tests'} in {result['seconds']:.0f} s, {where}, {result['ended']}"
    )


def main(arguments: Sequence[str]) -> int:
    """0: every part asked for passed. 1: one did not. 2: no such part. 130: interrupted."""
    parser = argparse.ArgumentParser(prog="soak", description="the issues' full counts, in resumable parts")
    parser.add_argument("part", nargs="?", default="", help="parts separated by commas, a folder, or all")
    parser.add_argument("--force", action="store_true", help="run what passed at this commit again")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--out", type=Path, default=PROJECT / "out" / "soak", metavar="DIR")
    options = parser.parse_args(arguments)
    known, results, here = parts(), Results(options.out), commit()
    try:
        names = chosen(options.part, known)
    except ValueError as error:
        print(f"soak: {error}", file=sys.stderr)
        return 2
    if not names:
        for part in known:
            print(line(part, results.last(part), here))
        return 0
    try:
        for part in names:
            if stands(results.last(part), here) and not options.force:
                print(f"{part}: passed at this commit, not run again (FORCE=1 does)")
                continue
            print(f"== {part}: {known[part].relative_to(PROJECT)}, QX_SEED={options.seed}", flush=True)
            results.run(part, known[part], options.seed)
    except KeyboardInterrupt:
        print("interrupted: run the same command again to go on", file=sys.stderr)
        return 130
    print()
    for part in names:
        print(line(part, results.last(part), here))
    return int(not all((last := results.last(part)) and good(last) for part in names))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
