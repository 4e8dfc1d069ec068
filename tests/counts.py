# SPDX-License-Identifier: Apache-2.0
"""How often a check runs: a few times in `make test`, the issue's full count with QX_SOAK=1.

QX_SEED repeats a run that failed: every random choice of a test comes from `choices(NAME)`.
"""

from __future__ import annotations

import os
import random

SOAK = os.environ.get("QX_SOAK", "0") not in ("", "0")
SEED = int(os.environ.get("QX_SEED") or random.SystemRandom().randrange(1 << 32))


def count(normal: int, soak: int) -> int:
    """The number of rounds; printed, so that a failure shows what was run (pytest shows it then)."""
    rounds = soak if SOAK else normal
    print(f"{rounds} rounds ({'soak' if SOAK else 'reduced'}), QX_SEED={SEED}")
    return rounds


def choices(name: str) -> random.Random:
    """Random numbers of a test by its name: the same for the same QX_SEED, whatever else runs."""
    return random.Random(f"{SEED} {name}")


def bound(soak: float, normal: float) -> float:
    """A figure's limit: the issue's with full counts, in `make test` one that a noisy machine keeps."""
    return soak if SOAK else normal
