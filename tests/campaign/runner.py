# SPDX-License-Identifier: Apache-2.0
"""runner: a campaign on one rack: step after step, what each must keep looked at from outside."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from board.lab.network import UNITS

from labtools import other, wait_for

from . import remains
from .judge import Course, judge
from .ledger import Answer, Ledger
from .plan import Step
from .rack import Rack, Write, both
from .watch import Watch

Say = Callable[[str], None]


@dataclass
class Summary:
    """What became of a campaign. `option`: what `make campaign` was told for its rack."""

    seed: int
    option: str = ""
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
            words = ["make campaign", f"SEED={self.seed}", f"STEPS={step.number}", self.option]
            again = " ".join(filter(None, words))
            lines += ["", f"VIOLATION in step {step}: {what}", f"    again: {again}",
                      f"    that step alone: {again} FROM={step.number}"]  # fmt: skip
        return "\n".join(lines)

    def plain(self) -> dict[str, Any]:
        return {
            "seed": self.seed,
            "option": self.option,
            "steps": self.steps.total(),
            "by_kind": dict(self.steps),
            "violations": [{"step": str(step), "what": what} for step, what in self.violations],
            "seconds": round(self.seconds, 1),
            "writes": dict(self.answers),
            "most": dict(self.most),
        }


class Campaign:
    """`folder` takes both units' logs after a violation. The rack is down when `run` ends."""

    def __init__(self, rack: Rack, seed: int, folder: Path, say: Say) -> None:
        self._rack, self._folder, self._say = rack, folder, say
        self.summary = Summary(seed, rack.option)
        self._fresh()

    def _fresh(self) -> None:
        """What is known of a pair that begins anew."""
        self._ledger = Ledger()
        self._calls = self._rack.calls()
        self._shapes: dict[tuple[str, str], dict[str, Any]] = {}

    def run(self, steps: Iterable[Step]) -> Summary:
        began = time.monotonic()
        left = iter(steps)
        try:
            # A pair that has broken a promise is not judged any further: the next step has a new one.
            while self._on_one_pair(left):
                pass
        finally:
            self.summary.seconds = time.monotonic() - began
        return self.summary

    def _on_one_pair(self, steps: Iterable[Step]) -> bool:
        """False where all steps are done."""
        self._fresh()
        try:
            with self._rack.pair():
                return self._all_of_them(steps)
        finally:
            self.summary.answers.update(self._ledger.answers)
            if self._calls:
                self._calls.close()

    def _all_of_them(self, steps: Iterable[Step]) -> bool:
        master = self._rack.rest()
        if self._calls:
            self._calls.open(master)
        with self._rack.watch() as watch:
            for step in steps:
                if found := self._step(step, watch):
                    self.summary.violations += [(step, what) for what in found]
                    self._keep_logs(step)
                    return True
        return False

    # --- one step -------------------------------------------------------------------------------------------
    def _step(self, step: Step, watch: Watch) -> list[str]:
        """Does it; what it broke, in words."""
        began = time.monotonic()
        self.summary.steps[f"{step.kind.name} {step.whom}"] += 1
        try:
            found = self._judged(step, watch)
        except (pytest.fail.Exception, AssertionError) as error:
            found = [str(error).splitlines()[0]]
        except Exception as error:
            found = [f"{type(error).__name__}: {error}".splitlines()[0]]
        took = time.monotonic() - began
        self._say(f"{step}: {'; '.join(found) if found else 'ok'} ({took:.1f} s)")
        return found

    def _judged(self, step: Step, watch: Watch) -> list[str]:
        rack = self._rack
        master = rack.rest()
        units = {"master": [master], "backup": [other(master)], "both": list(UNITS)}[step.whom]
        known = {unit: {event["uid"] for event in log} for unit, log in both(rack.events).items()}
        path, value = self._ledger.next()
        self._ledger.answered(path, value, rack.write((master, path, value)))  # at rest: durable on both
        if self._calls:
            self._calls.begin(master)
        time.sleep(step.pause * rack.pace.interval)
        before = self._ledger.known()
        since = watch.until_now()
        watch.record.forget(since - 50 * rack.pace.interval)
        writes = self._writes(master, step.writes + 1)
        answers = rack.writing(writes)
        try:
            mend = rack.begin(step, units[:1] if step.kind.once else units)
            time.sleep(step.lasts)
            mend()
            over = time.time()
        finally:
            for (_, path, value), answer in zip(writes, answers(), strict=True):
                self._ledger.answered(path, value, answer)
        if step.kind.name == "restore":
            self._ledger.restored(before)
        after = rack.rest()
        course = Course(since, over, watch.until_now(), master, after)
        return [
            *judge(step, watch.record, course, rack.pace),
            *(self._calls.end() if self._calls else ()),
            *self._settings(),
            *self._events(known),
            *self._remains(after),
        ]

    def _writes(self, first: str, count: int) -> list[Write]:
        """`count` settings on the unit that was Master when the step began, and then on the other."""
        units = (first, other(first))[: 1 + count // 2]
        return [(unit, *self._ledger.next()) for unit in units for _ in range(count)]

    # --- at rest --------------------------------------------------------------------------------------------
    def _settings(self) -> list[str]:
        kept = both(self._rack.settings)
        return [f"unit {unit}: {what}" for unit in UNITS for what in self._ledger.lost(kept[unit])]

    def _events(self, known: Mapping[str, set[str]]) -> list[str]:
        """Both logs the same, nothing twice."""
        logs: dict[str, Sequence[Mapping[str, Any]]] = {}

        def same() -> bool:
            logs.update(both(self._rack.events))
            return not remains.differing(logs)

        with suppress(pytest.fail.Exception):
            wait_for(same, 100 * self._rack.pace.interval, "both logs have the same events", 0.3)
        new = {unit: [event for event in logs[unit] if event["uid"] not in known[unit]] for unit in UNITS}
        said = remains.differing(logs)
        for unit in UNITS:
            said += remains.repeated(new[unit])
        return said

    def _remains(self, master: str) -> list[str]:
        said: list[str] = []
        for unit, now in both(self._rack.shape).items():
            role = "master" if unit == master else "backup"
            first = self._shapes.setdefault((unit, role), now)
            for name in ("daemon resident", "daemon descriptors", "daemon threads", "guardian resident"):
                self.summary.most[name] = max(self.summary.most[name], now[name])
            said += [f"unit {unit} as {role}: {what}" for what in remains.leaked(first, now)]
        return said

    def _keep_logs(self, step: Step) -> None:
        kept = self._folder / f"seed-{self.summary.seed}-step-{step.number}"
        shutil.rmtree(kept, ignore_errors=True)
        kept.mkdir(parents=True)
        self._rack.keep_logs(kept)
