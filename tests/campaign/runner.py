# SPDX-License-Identifier: Apache-2.0
"""runner: a campaign on one lab: step after step, what each must keep looked at from outside."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from board.lab.demo import Demo
from board.lab.namespace import LabError
from board.lab.network import UNITS
from board.lab.pair import Lab

from labtools import other, wait_for
from pairs import QUICK, events, in_step, ready
from small_flash import small

from . import faults, remains
from .answers import Answers
from .calls import Calls
from .judge import Course, judge
from .ledger import Answer, Ledger
from .plan import Step

Say = Callable[[str], None]
REST = 60.0  # seconds within which the pair is one again
FLASH = 16 << 20  # octets of each unit's data partition


@dataclass
class Summary:
    """What became of a campaign."""

    seed: int
    calls: bool = False  # a call was up in each step
    steps: Counter[str] = field(default_factory=Counter[str])  # kind and whom it hit
    violations: list[tuple[Step, str]] = field(default_factory=list[tuple[Step, str]])
    seconds: float = 0.0
    answers: Counter[Answer] = field(default_factory=Counter[Answer])
    most: Counter[str] = field(default_factory=Counter[str])  # KiB, descriptors, threads

    def table(self) -> str:
        """For people, in Markdown."""
        broken = Counter(f"{step.kind.name} {step.whom}" for step, _ in self.violations)
        lines = ["| fault | steps | violations |", "|---|---:|---:|"]
        lines += [f"| {name} | {count} | {broken[name]} |" for name, count in sorted(self.steps.items())]
        lines.append(f"| **all** | {self.steps.total()} | {len(self.violations)} |")
        writes = ", ".join(f"{count} {answer}" for answer, count in sorted(self.answers.items()))
        most = ", ".join(f"{name} {count}" for name, count in sorted(self.most.items()))
        lines += ["", f"seed {self.seed}, {self.seconds:.0f} s; writes: {writes}; at most: {most}"]
        for step, what in self.violations:
            again = f"make campaign SEED={self.seed} STEPS={step.number}{' CALLS=1' if self.calls else ''}"
            lines += ["", f"VIOLATION in step {step}: {what}", f"    again: {again}",
                      f"    that step alone: {again} FROM={step.number}"]  # fmt: skip
        return "\n".join(lines)

    def plain(self) -> dict[str, Any]:
        return {
            "seed": self.seed,
            "calls": self.calls,
            "steps": self.steps.total(),
            "by_kind": dict(self.steps),
            "violations": [{"step": str(step), "what": what} for step, what in self.violations],
            "seconds": round(self.seconds, 1),
            "writes": dict(self.answers),
            "most": dict(self.most),
        }


class Campaign:
    """`folder` takes the lab, and both units' logs after a violation. The lab is down when `run` ends. With a
    `demo` that has Kamailio a call is up in each step."""

    def __init__(self, name: str, folder: Path, seed: int, say: Say, demo: Demo = QUICK) -> None:
        self._lab = Lab(prefix=name, folder=folder / "lab")
        self._folder, self._demo, self._say = folder, demo, say
        self._interval = float(demo.interval or 1)
        self.summary = Summary(seed, demo.pbx)
        self._fresh()

    def _fresh(self) -> None:
        """What is known of a pair that begins anew."""
        self._ledger = Ledger()
        self._calls = Calls(self._lab) if self._demo.pbx else None
        self._shapes: dict[tuple[str, str], dict[str, Any]] = {}

    def run(self, steps: Iterable[Step]) -> Summary:
        began = time.monotonic()
        left = iter(steps)
        try:
            # A pair that has broken a promise is not judged any further: the next step has a new one.
            while self._on_one_pair(left):
                self._keep_logs()
        finally:
            self.summary.seconds = time.monotonic() - began
            self._lab.down()
        return self.summary

    def _on_one_pair(self, steps: Iterable[Step]) -> bool:
        """False where all steps are done."""
        self._fresh()
        lab = self._lab
        lab.up(self._demo, fresh=True, power=False)
        try:
            with ExitStack() as flashes:
                for unit in UNITS:
                    flashes.enter_context(small(lab.units[unit].root / "data" / "qx", FLASH))
                flashes.callback(lab.down)  # before they go
                for unit in UNITS:
                    lab.power_on(unit)
                return self._all_of_them(steps)
        finally:
            self.summary.answers.update(self._ledger.answers)
            if self._calls:
                self._calls.close()

    def _all_of_them(self, steps: Iterable[Step]) -> bool:
        master = self._rest()
        if self._calls:
            self._calls.open(master)
        with Answers(self._lab) as watch:
            for step in steps:
                if found := self._step(step, watch):
                    self.summary.violations += [(step, what) for what in found]
                    return True
        return False

    # --- one step -------------------------------------------------------------------------------------------
    def _step(self, step: Step, watch: Answers) -> list[str]:
        """Does it; what it broke, in words."""
        began = time.monotonic()
        self.summary.steps[f"{step.kind.name} {step.whom}"] += 1
        try:
            found = self._judged(step, watch)
        except (LabError, pytest.fail.Exception, AssertionError) as error:
            found = [str(error).splitlines()[0]]
        except Exception as error:
            found = [f"{type(error).__name__}: {error}"]
        took = time.monotonic() - began
        self._say(f"{step}: {'; '.join(found) if found else 'ok'} ({took:.1f} s)")
        return found

    def _judged(self, step: Step, watch: Answers) -> list[str]:
        lab = self._lab
        master = self._rest()
        units = {"master": [master], "backup": [other(master)], "both": list(UNITS)}[step.whom]
        if step.kind.name in ("split", "flood", "busy"):
            units = units[:1]  # it is the network's or the machine's, and done once
        known = {unit: {event["uid"] for event in events(lab, unit)} for unit in UNITS}
        path, value = self._ledger.next()
        self._ledger.answered(path, value, self._set(master, path, value))  # at rest: durable on both
        if self._calls:
            self._calls.begin(master)
        time.sleep(step.pause)
        before = self._ledger.known()
        since = watch.until_now()
        watch.record.forget(since - 5.0)
        writer = threading.Thread(target=self._write, args=(master, step.writes + 1))
        writer.start()
        try:
            mend = faults.begin(lab, step, units)
            time.sleep(step.lasts)
            mend()
            over = time.time()
        finally:
            writer.join()
        if step.kind.name == "restore":
            self._ledger.restored(before)
        after = self._rest()
        course = Course(since, over, watch.until_now(), master, after)
        return [
            *judge(step, watch.record, course, self._interval),
            *(self._calls.end() if self._calls else ()),
            *self._settings(),
            *self._events(known),
            *self._remains(after),
        ]

    def _rest(self) -> str:
        """Waits until the pair is one again; the Master's name."""
        master = ready(self._lab, REST)
        in_step(self._lab, 20.0)
        return master

    # --- writes ---------------------------------------------------------------------------------------------
    def _write(self, first: str, count: int) -> None:
        """`count` settings on the unit that was Master when the step began, and then on the other."""
        for unit in (first, other(first))[: 1 + count // 2]:
            for _ in range(count):
                path, value = self._ledger.next()
                self._ledger.answered(path, value, self._set(unit, path, value))

    def _set(self, unit: str, path: str, value: str) -> Answer:
        found = self._lab.units[unit]
        argv = [str(found.executable), "set", "--json", "--root", str(found.root), f"{path}={value}"]
        try:
            done = self._lab.exec(unit, argv, timeout=40)  # in the unit: it dies with its power
        except (LabError, OSError):
            return "refused"  # without power nothing is written
        if done.returncode == 1 and "read-only" in done.stderr:
            return "refused"  # any other failure may have come after the commit
        with suppress(ValueError, KeyError):
            return "both" if json.loads(done.stdout)["durable"] == "both" else "this"
        return "none"

    # --- at rest --------------------------------------------------------------------------------------------
    def _settings(self) -> list[str]:
        said: list[str] = []
        for unit in UNITS:
            done = self._lab.qx(unit, "get", "--json", "extensions")
            kept = _named(json.loads(done.stdout)) if done.returncode == 0 else {}  # 1: there are none
            said += [f"unit {unit}: {what}" for what in self._ledger.lost(kept)]
        return said

    def _events(self, known: dict[str, set[str]]) -> list[str]:
        """Both logs the same, nothing twice."""
        logs: dict[str, list[dict[str, Any]]] = {}

        def same() -> bool:
            logs.update({unit: [dict(one) for one in events(self._lab, unit)] for unit in UNITS})
            return not remains.differing(logs)

        with suppress(pytest.fail.Exception):
            wait_for(same, 10.0, "both logs have the same events", 0.3)
        new = {unit: [event for event in logs[unit] if event["uid"] not in known[unit]] for unit in UNITS}
        said = remains.differing(logs)
        for unit in UNITS:
            said += remains.repeated(new[unit])
        return said

    def _remains(self, master: str) -> list[str]:
        said: list[str] = []
        for unit in UNITS:
            role = "master" if unit == master else "backup"
            now = remains.shape(self._lab, unit)
            first = self._shapes.setdefault((unit, role), now)
            for name in ("daemon resident", "daemon descriptors", "daemon threads", "guardian resident"):
                self.summary.most[name] = max(self.summary.most[name], now[name])
            said += [f"unit {unit} as {role}: {what}" for what in remains.leaked(first, now)]
        return said

    def _keep_logs(self) -> None:
        kept = self._folder / f"seed-{self.summary.seed}-step-{self.summary.violations[-1][0].number}"
        shutil.rmtree(kept, ignore_errors=True)
        kept.mkdir(parents=True)
        for unit in UNITS:
            with suppress(FileNotFoundError):
                shutil.copy(self._lab.units[unit].log, kept)


def _named(found: dict[str, Any]) -> dict[str, str]:
    """What `qx get --json` says, as texts."""
    return {path: str(value) for path, value in found.items()}
