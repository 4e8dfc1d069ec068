# SPDX-License-Identifier: Apache-2.0
"""Voice data of a large installation on the pair, beside rsync in the same run (R14, R15)."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from pathlib import Path

from board.lab.demo import Demo

from bench import crossing
from bench.adverts import Adverts
from bench.figures import PRODUCT, RSYNC
from bench.pair import Pair
from bench.product import Product
from bench.setting import OFFICE
from counts import bound, count
from labtools import make_lab


def test_voice_data_beside_rsync(tmp_path: Path, record_figures: Callable[..., None]) -> None:
    """R14, R15: 10,000 files of 300 MB in all. The first copy takes no longer than rsync's with --fsync; a
    comparison of what is the same at most 60 ms of each unit's CPU and 300 octets; 10 new and 5 changed files
    100 ms; and moved files cross without their content."""
    files, runs = count(500, 10_000), count(1, 5)
    with make_lab("vl", tmp_path) as lab:
        lab.up(Demo(plan="same"), bare=True, power=False)
        product = Product(lab)
        product.prepare(OFFICE)
        with Adverts(lab.network.name("pc")) as adverts:
            folder = tmp_path / "voice"
            folder.mkdir()
            found = crossing.voice(Pair(lab, product, OFFICE, adverts), folder, files, runs)
    ours = {name: [sample.value for sample in both[PRODUCT]] for name, both in found.items()}
    theirs = {name: [sample.value for sample in both[RSYNC]] for name, both in found.items() if RSYNC in both}
    record_figures(files=files, ours=ours, rsync=theirs)
    print({name: (statistics.median(values), theirs.get(name)) for name, values in ours.items()})

    def median(name: str) -> float:
        return statistics.median(ours[name])

    assert ours["voice-first"][0] <= theirs["voice-first"][0] + bound(0.0, 2000.0)
    assert median("voice-same") <= bound(60.0, 300.0)  # of CPU, which a busy machine stretches as well
    assert median("voice-same-backup") <= bound(60.0, 300.0)
    assert median("voice-same-octets") <= 300
    assert median("voice-some") <= bound(100.0, 1000.0)
    assert ours["voice-moved-octets"][0] <= 100 * 300  # names and hashes; the files have 3 MB
