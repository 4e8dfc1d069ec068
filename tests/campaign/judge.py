# SPDX-License-Identifier: Apache-2.0
"""judge: what the promises say about a step, against what was seen from outside. Pure.

R4, R8, R9, R10 in figures: how long the address may be silent, how long two units may answer for it, and who
is Master afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass

from .answers import Record
from .plan import Step

SLACK = 1.5  # seconds by which a machine that does other things as well may be late
SLACK_TWO = 0.5  # the same, for two units that answer


@dataclass(frozen=True, slots=True)
class Course:
    """A step as it went. Times on CLOCK_REALTIME, seconds."""

    since: float  # just before the fault
    over: float  # it was mended
    rest: float  # the pair was one again
    before: str  # the Master before it
    after: str  # and at rest


def judge(step: Step, seen: Record, course: Course, interval: float) -> list[str]:
    """The broken promises in words. `interval`: seconds between two advertisements."""
    return [
        *_silence(step, seen, course, interval),
        *_two(step, seen, course, interval),
        *_master(step, course),
    ]


def _silence(step: Step, seen: Record, course: Course, interval: float) -> list[str]:
    gap, since = step.kind.whom[step.whom], course.since
    if gap is None:  # nobody could answer while it lasted
        gap, since = step.kind.back, course.over
    allowed = gap + 4 * interval + SLACK
    silent = seen.silence(since, course.rest)
    return [f"nobody answered for {silent:.2f} s; expected at most {allowed:.2f} s"] * (silent > allowed)


def _two(step: Step, seen: Record, course: Course, interval: float) -> list[str]:
    since, allowed = course.since, SLACK_TWO
    if step.kind.two is None:
        since = course.over + 2 * interval
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
