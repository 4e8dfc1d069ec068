# SPDX-License-Identifier: Apache-2.0
"""The campaign itself: the same steps for the same seed, judges that see what is broken, and a short run."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from board.lab.pair import Lab

from counts import SEED, count
from labtools import make_lab, needs_root
from small_flash import left_over, small

from . import plan
from .judge import Course, Pace, judge
from .kinds import LAB, VM
from .lab_rack import LabRack
from .ledger import Ledger
from .record import Record
from .remains import differing, leaked, repeated
from .runner import Campaign
from .wire import FATES, Wire

PACE = Pace(0.1, late=1.5, two=0.5)
QUICK_KINDS = ("kill", "cut", "write")  # a cold boot takes as long as all of these


def test_a_seed_is_a_campaign() -> None:
    """A failing step is repeated by seed and number, also as the only one."""
    whole = list(plan.steps(LAB, 7, 50))
    assert whole == list(plan.steps(LAB, 7, 50)) != list(plan.steps(LAB, 8, 50))
    assert whole[:10] == list(plan.steps(LAB, 7, 10))
    assert whole[30] == plan.step(LAB, 7, 31)
    assert {one.kind.name for one in plan.steps(LAB, 7, 400)} == set(LAB)
    assert {one.kind.name for one in plan.steps(VM, 7, 400)} == set(VM)
    with pytest.raises(ValueError, match="KINDS: flod: expected some of"):
        list(plan.steps(LAB, 7, 1, ["flod"]))


def test_acknowledged_writes_are_not_lost() -> None:
    """R8: what was durable on both is there; the rest may be."""
    ledger = Ledger()
    ledger.answered("x", "w1", "both")
    assert ledger.lost({"x": "w1"}) == []
    assert ledger.lost({"x": "w0"}) == ["x is 'w0'; expected 'w1'"]
    assert ledger.lost({}) == ["x is ''; expected 'w1'"]
    ledger.answered("x", "w2", "this")
    ledger.answered("x", "w3", "refused")
    assert ledger.lost({"x": "w1"}) == ledger.lost({"x": "w2"}) == []
    assert ledger.lost({"x": "w3"})
    ledger.answered("x", "w4", "both")
    assert ledger.lost({"x": "w2"})


def test_a_restore_takes_back_what_was_written_before_it() -> None:
    """R40: what was acknowledged while a backup was made and restored may be gone, nothing else."""
    ledger = Ledger()
    ledger.answered("x", "w1", "both")
    ledger.answered("y", "w2", "both")
    before = ledger.known()
    ledger.answered("x", "w3", "both")
    ledger.answered("z", "w4", "both")
    ledger.restored(before)
    for x, z in (("w1", ""), ("w3", "w4")):
        assert ledger.lost({"x": x, "y": "w2", "z": z}) == []
    assert ledger.lost({"x": "w0", "y": "w2"}) and ledger.lost({"x": "w1"})


def seen(*answered: set[str]) -> Record:
    """Questions every 20 ms from 100 s on."""
    record = Record()
    for number, units in enumerate(answered):
        record.ask(100 + number * 0.02)
        for unit in units:
            record.answer(unit)
    return record


def test_silences_and_two_that_answer_are_seen() -> None:
    """R9, R10: from outside alone."""
    record = seen({"a"}, {"a"}, *[set[str]()] * 100, {"b"}, {"b"}, *[{"a", "b"}] * 101, {"b"})
    assert record.silence(100.01, 110) == pytest.approx(101 * 0.02, abs=0.001)
    assert record.two(100, 110) == pytest.approx(2.0, abs=0.001)
    assert seen({"a"}, set(), {"a"}).silence(100, 110) == 0
    power = plan.Step(1, LAB["power"], "master", "", 1.0, 0.0, 0)
    said = judge(power, record, Course(100.01, 101, 110, "a", "b"), PACE)
    assert [line.split(" for ")[0] for line in said] == ["nobody answered", "two units answered"]
    assert judge(power, seen(*[{"b"}] * 500), Course(100, 101, 110, "a", "b"), PACE) == []
    assert judge(power, seen(*[{"a"}] * 500), Course(100, 101, 110, "a", "a"), PACE)
    split = plan.Step(1, LAB["split"], "both", "both", 1.0, 0.0, 0)
    both = [{"a"}] * 10 + [{"a", "b"}] * 100 + [{"a"}] * 300
    assert judge(split, seen(*both), Course(100, 102.2, 108, "a", "a"), PACE) == []
    assert judge(split, seen(*both), Course(100, 101, 108, "a", "a"), PACE)


def test_what_is_left_behind_is_seen() -> None:
    """Leaks, and events that are missing or there twice."""
    first = {"addresses": [], "routes": [], "sysctls": [], "guardian threads": 1, "guardian descriptors": 9,
             "daemon threads": 8, "daemon descriptors": 40, "daemon resident": 32000}  # fmt: skip
    assert leaked(first, first | {"daemon descriptors": 44}) == []
    assert leaked(first, first | {"daemon descriptors": 45})
    assert leaked(first, first | {"daemon threads": 15}) == []
    assert leaked(first, first | {"daemon threads": 16})
    assert leaked(first, first | {"guardian descriptors": 10})
    assert leaked(first, first | {"routes": ["default"]})
    one = {"uid": "1", "unit": "A", "name": "x", "description": "", "time": 5.0}
    assert repeated([one, one | {"uid": "2", "time": 9.0}]) == []
    assert repeated([one, one]) and repeated([one, one | {"uid": "2"}])
    assert differing({"a": [one], "b": [one]}) == []
    assert differing({"a": [one], "b": []})


def pinged(lab: Lab, count: int) -> tuple[int, int, float]:
    """From the PC to unit a: echoes that came, echoes that came twice, ms of the quickest; 20 ms apart."""
    told = lab.exec("pc", ["ping", "-c", str(count), "-i", "0.02", "-W", "0.3", "10.77.0.1"]).stdout
    echoes = [line for line in told.splitlines() if "bytes from" in line]
    twice = sum("DUP" in line for line in echoes)
    took = [float(line.partition("time=")[2].split()[0]) for line in echoes]
    return len(echoes) - twice, twice, min(took, default=0.0)


def test_a_line_has_the_fault_that_it_is_said_to_have(tmp_path: Path) -> None:
    """R9: late is late, twice is twice, one way is one way; and as it was when it is mended."""
    with make_lab("cw", tmp_path) as lab:
        lab.up(bare=True)
        lab.exec("a", ["ip", "address", "add", "10.77.0.1/24", "dev", "lan"])
        assert pinged(lab, 5)[:2] == (5, 0)
        for fate, expected in (("late", 20), ("twice", 20), ("to", 0), ("from", 0)):
            wire = Wire(lab, "a", fate, "seed")
            came, twice, quickest = pinged(lab, 20)
            wire.mend()
            assert came == expected, fate
            assert (twice > 0) == (fate == "twice")
            assert (quickest >= 40) == (fate == "late")
        assert pinged(lab, 5)[:2] == (5, 0)


def test_the_fates_of_frames() -> None:
    """Some are lost, some overtake others; all from the step's seed."""
    chance = random.Random(1)
    lost = [FATES["one in ten"](chance, True) for _ in range(2000)].count(())
    assert 120 < lost < 300
    waits = [FATES["out of order"](chance, True)[0] for _ in range(20)]
    assert waits != sorted(waits) and max(waits) < 0.03


def test_what_a_killed_campaign_left(tmp_path: Path) -> None:
    """Its small flash is still mounted, and the next one begins all the same."""
    needs_root()
    folder = tmp_path / "qx"
    folder.mkdir()
    flash = small(folder, 1 << 20)
    flash.__enter__()  # and nobody leaves it
    assert folder.is_mount()
    left_over(folder)
    left_over(folder)
    assert not folder.is_mount()


def test_a_short_campaign(tmp_path: Path) -> None:
    """R4, R8, R9, R10, R34: no promise is broken by a few quick faults."""
    said: list[str] = []
    rack = LabRack(f"cs{os.getpid()}", tmp_path / "lab")
    steps = plan.steps(rack.kinds, SEED, count(4, 40), QUICK_KINDS)
    summary = Campaign(rack, SEED, tmp_path, said.append).run(steps)
    assert not summary.violations, "\n".join([*said, summary.table()])
    assert summary.steps.total() == count(4, 40) and summary.answers["both"]
