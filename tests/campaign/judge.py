# SPDX-License-Identifier: Apache-2.0
"""judge: what the promises say about a step, against what was seen from outside. Pure.

R4, R8, R9, R10 in figures: how long the address may be silent, how long two units may answer for it, and who
is Master afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass

from .plan import Step
from .record import Record


@dataclass(frozen=True, slots=True)
class Pace:
    """How quick a pair is. Seconds."""

    interval: float  # between two advertisements
    late: float  # by which a machine that does other things as well may be late
    two: float  # the same, for two units that answer


@dataclass(frozen=True, slots=True)
class Course:
    """A step as it went. Times on CLOCK_REALTIME, seconds."""

    since: float  # just before the fault
    over: float  # it was mended
    rest: float  # the pair was one again
    before: str  # the Master before it
    after: str  # and at rest


def judge(step: Step, seen: Record, course: Course, pace: Pace) -> list[str]:
    """The broken promises in words."""
    return [
        *_silence(step, seen, course, pace),
        *_two(step, seen, course, pace),
        *_master(step, course),
    ]


def _silence(step: Step, seen: Record, course: Course, pace: Pace) -> list[str]:
    gap, since = step.kind.whom[step.whom], course.since
    if gap is None:  # nobody could answer while it lasted
        gap, since = step.kind.back, course.over
    allowed = gap + 4 * pace.interval + pace.late
    silent = seen.silence(since, course.rest)
    return [f"nobody answered for {silent:.2f} s; expected at most {allowed:.2f} s"] * (silent > allowed)


def _two(step: Step, seen: Record, course: Course, pace: Pace) -> list[str]:
    since, allowed = course.since, pace.two
    if step.kind.two is None:
        since = course.over + 2 * pace.interval
    else:
        allowed += step.kind.two
    two = seen.two(since, course.rest)
    return [f"two units answered for {two:.2f} s; expected at most {allowed:.2f} s"] * (two > allowed)


def _master(step: Step, course: Course) -> list[str]:
    """Who must be Master afterwards; elsewhere either may."""
    stays = step.whom == "backup" or step.kind.role == "stays"
    moves = step.whom == "master" and step.kind.role == "moves"
    if stays and course.after != course.before:
        return [f"the role moved from {course.before} to {course.after}; expected it to stay"]
    if moves and course.after == course.before:
        return [f"{course.before} is Master again; expected the other unit"]
    return []
