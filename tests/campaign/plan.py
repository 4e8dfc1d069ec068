# SPDX-License-Identifier: Apache-2.0
"""plan: which faults a campaign makes, in which order: the same for the same seed. Pure.

A step is drawn on its own from (seed, number), so a campaign of 2,000 steps begins like one of 10, and one
step of it is repeated alone with the kinds left as they were. Whom it hits is said by role, because the unit
that has it is known only when the step begins.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Whom = Literal["master", "backup", "both"]

ADDRESS_LIFETIME = 3.0  # seconds after which the kernel takes a service address that nobody renews
BOOT = 20.0  # seconds from power on of both to the first answer
LINKS = 8.0  # the switch restarts: listening again, and 3 s more for the old Backup
GRACE = 2.0  # a Master's without link


@dataclass(frozen=True, slots=True)
class Kind:
    """A fault. Seconds that nobody may answer for the service address, beside the time that the pair needs to
    notice that its Master is gone and what `judge.py` allows a busy machine:

    - by `whom` it hits; None: nobody can answer while it lasts, nor for `back` after it is over
    - `two`: how long two units may answer at a time; None: while it lasts (they cannot hear each other)

    Where it is more than the Backup that is hit, the `role` stays, or comes back at once; or it moves, where
    that is the Master alone. Elsewhere either unit may have it.
    """

    name: str
    whom: Mapping[Whom, float | None]
    lasts: tuple[float, float]  # seconds, drawn evenly
    two: float | None = 0.0
    back: float = LINKS
    role: Literal["stays", "moves", ""] = ""
    options: Sequence[str] = ("",)
    weight: int = 1


@dataclass(frozen=True, slots=True)
class Step:
    number: int
    kind: Kind
    whom: Whom
    option: str
    lasts: float
    pause: float  # seconds of rest before it, so that it meets every instant of an interval
    writes: int  # settings written while it lasts

    def __str__(self) -> str:
        option = f" ({self.option})" if self.option else ""
        return f"{self.number} {self.kind.name} {self.whom}{option} for {self.lasts:.2f} s"


# In words of what a rack, a switch or a process can do to a pair. Weights: what is quick comes more often.
KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            "power", {"master": 0.0, "backup": 0.0, "both": None}, (0.2, 3.0),
            back=BOOT, role="moves", weight=3,
        ),
        Kind("kill", {"master": 0.0, "backup": 0.0, "both": BOOT}, (0.0, 0.5), role="moves", weight=3),
        Kind("kill everything", {"master": 0.0, "backup": 0.0}, (0.0, 4.0), two=ADDRESS_LIFETIME),
        Kind("hang", {"master": 1.0, "backup": 0.0}, (0.02, 2.0), weight=2),
        Kind("hang everything", {"master": 1.0, "backup": 0.0}, (0.02, 5.0), two=ADDRESS_LIFETIME),
        Kind(
            "split", {"both": 0.0}, (0.1, 3.0),
            two=None, role="stays", options=("both", "a", "b"), weight=3,
        ),
        # In one direction: who hears nothing takes over, and the other one goes on (R10). A Master that hears
        # nothing does not hear who asks for it either.
        Kind(
            "one way", {"master": None, "backup": 0.0}, (0.1, 3.0),
            two=None, role="stays", options=("to", "from"),
        ),
        Kind("mute", {"master": 0.0, "backup": 0.0}, (0.3, 3.0), role="stays", weight=2),
        Kind(
            "line", {"master": 0.0, "backup": 0.0}, (0.5, 3.0),
            role="stays", options=("late", "twice", "out of order", "one in ten"), weight=3,
        ),
        Kind("flood", {"both": 0.0}, (0.5, 2.0), role="stays"),
        Kind("disk full", {"master": 0.0, "backup": 0.0, "both": 0.0}, (0.5, 3.0), role="stays"),
        Kind("busy", {"both": 0.0}, (0.5, 3.0), role="stays"),
        # The kernel ends a daemon that asks for more.
        Kind("no memory", {"master": 0.0, "backup": 0.0, "both": BOOT}, (0.5, 3.0)),
        Kind("cut", {"master": GRACE, "backup": 0.0, "both": None}, (0.05, 3.0), weight=2),
        Kind("cut wan", {"master": 0.0, "backup": 0.0, "both": 0.0}, (0.5, 3.0)),
        Kind("swap", {"master": 0.0}, (0.0, 0.0), role="moves", weight=3),
        Kind("passive", {"backup": 0.0}, (0.2, 2.0)),
        Kind("restore", {"master": 0.0}, (0.0, 0.5), role="stays"),
        Kind("write", {"master": 0.0}, (0.0, 0.2), role="stays", weight=2),
    )
}  # fmt: skip


def steps(seed: int, count: int, kinds: Sequence[str] = ()) -> Iterator[Step]:
    """The campaign. `kinds`: only these. Raises ValueError that names one that there is not."""
    for name in kinds:
        if name not in KINDS:
            raise ValueError(f"KINDS: {name}: expected some of {', '.join(KINDS)}")
    for number in range(1, count + 1):
        yield step(seed, number, kinds)


def step(seed: int, number: int, kinds: Sequence[str] = ()) -> Step:
    chance = random.Random(f"campaign {seed} {number}")
    among = [KINDS[name] for name in (kinds or KINDS)]
    kind = chance.choices(among, [one.weight for one in among])[0]
    whom = chance.choice(list(kind.whom))
    return Step(
        number,
        kind,
        whom,
        chance.choice(kind.options),
        round(chance.uniform(*kind.lasts), 3),
        round(chance.uniform(0.0, 0.4), 3),
        chance.randrange(3),
    )
