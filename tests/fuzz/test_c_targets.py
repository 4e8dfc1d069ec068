# SPDX-License-Identifier: Apache-2.0
"""The libFuzzer targets of C, for moments each: the corpus as it is, then what is made of it.

`make fuzz` takes as long as wanted.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from counts import SEED, count

from . import seed
from .__main__ import IN_C

PROJECT = Path(__file__).resolve().parents[2]
CORPUS = Path(__file__).resolve().parent / "corpus"


@pytest.mark.parametrize("name", IN_C)
def test_octets_do_no_harm(name: str, tmp_path: Path) -> None:
    """R3, R9, R11, R17: the ladder, the state machine and the engine's datagrams, with sanitizers."""
    target = PROJECT / "out" / "fuzz" / f"fuzz_{name}"
    subprocess.run(["make", "-s", "-C", PROJECT, target.relative_to(PROJECT)], check=True)
    seeds = CORPUS / name
    if name == "packet":
        seeds = tmp_path / "seeds"
        seeds.mkdir()
        seed.write(seeds)
    found = tmp_path / "found"
    found.mkdir()
    runs = count(200, 50_000) if name == "pair" else count(4000, 1_000_000)
    done = subprocess.run(
        [target, f"-runs={runs}", f"-seed={SEED % 4_000_000_000 or 1}", "-max_len=600",
         f"-artifact_prefix={tmp_path}/", found, seeds],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert f"Done {runs} runs" in done.stderr
