# SPDX-License-Identifier: Apache-2.0
"""plan: which faults of a table (kinds.py) a campaign makes, in which order: the same for a seed. Pure.

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


@dataclass(frozen=True, slots=True)
class Kind:
    """A fault. Seconds that nobody may answer for the service address, beside the time that the pair needs to
    notice that its Master is gone and what the rack's `Pace` allows:

    - by `whom` it hits; None: nobody can answer while it lasts, nor for `back` after it is over
    - `two`: how long two units may answer at a time; None: while it lasts (they cannot hear each other)

    Where it is more than the Backup that is hit, the `role` stays, or comes back at once; or it moves, where
    that is the Master alone. Elsewhere either unit may have it.
    """

    name: str
    whom: Mapping[Whom, float | None]
    lasts: tuple[float, float]  # seconds, drawn evenly
    two: float | None = 0.0
    back: float = 0.0
    role: Literal["stays", "moves", ""] = ""
    options: Sequence[str] = ("",)
    weight: int = 1
    once: bool = False  # done to the network or the machine, whomever it hits


@dataclass(frozen=True, slots=True)
class Step:
    number: int
    kind: Kind
    whom: Whom
    option: str
    lasts: float
    pause: float  # intervals of rest before it, so that it meets every instant of one
    writes: int  # settings written while it lasts

    def __str__(self) -> str:
        option = f" ({self.option})" if self.option else ""
        return f"{self.number} {self.kind.name} {self.whom}{option} for {self.lasts:.2f} s"


def steps(kinds: Mapping[str, Kind], seed: int, count: int, only: Sequence[str] = ()) -> Iterator[Step]:
    """The campaign. `only`: these kinds. Raises ValueError that names one that there is not."""
    for name in only:
        if name not in kinds:
            raise ValueError(f"KINDS: {name}: expected some of {', '.join(kinds)}")
    for number in range(1, count + 1):
        yield step(kinds, seed, number, only)


def step(kinds: Mapping[str, Kind], seed: int, number: int, only: Sequence[str] = ()) -> Step:
    chance = random.Random(f"campaign {seed} {number}")
    among = [kinds[name] for name in (only or kinds)]
    kind = chance.choices(among, [one.weight for one in among])[0]
    whom = chance.choice(list(kind.whom))
    return Step(
        number,
        kind,
        whom,
        chance.choice(kind.options),
        round(chance.uniform(*kind.lasts), 3),
        round(chance.uniform(0.0, 4.0), 2),
        chance.randrange(3),
    )
