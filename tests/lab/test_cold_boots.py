# SPDX-License-Identifier: Apache-2.0
"""Both units booted at the same instant settle on one Master (R4)."""

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from board.lab.network import UNITS
from board.lab.pair import Lab

from counts import SOAK, choices, count
from holders import Holders
from labtools import Capture, make_lab
from pairs import DEFAULT, QUICK, ready

DEMOS = {"100ms-v3": (QUICK, 0.1), "1s-v2": (replace(DEFAULT, plan="same"), 1.0)}


@pytest.fixture(scope="module", params=DEMOS)
def cold(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Lab, float]]:
    demo, interval = DEMOS[request.param]
    with make_lab("cb", tmp_path_factory.mktemp("cold")) as lab:
        lab.up(demo, power=False, fresh=True)
        yield lab, interval


def test_simultaneous_boots(cold: tuple[Lab, float]) -> None:
    """R4: exactly one Master within two intervals of the first advertisement, each time."""
    lab, interval = cold
    random = choices("cold boots")
    for _ in range(count(2, 25) if SOAK or interval < 1 else count(1, 25)):
        for unit in UNITS:
            lab.power_off(unit)
            lab.power_on(unit, bare=True)
        order = random.sample(UNITS, 2)
        with Holders(lab) as holders, Capture(lab, "pc", match="ip proto 112") as capture:
            lab.units[order[0]].start()
            time.sleep(random.choice([0.0, 0.0, 0.01, 0.05]))
            lab.units[order[1]].start()
            master = ready(lab)
            time.sleep(2 * interval)
            adverts = capture.adverts()
            first = adverts[0].at
            late = {advert.sender for advert in adverts if advert.at > first + 2 * interval}
            assert len(late) == 1, "one unit advertises from then on"
            settled = min(span.start for span in holders.spans()) + 2 * interval + 0.1
            holding = {
                s.unit for s in holders.spans() if s.address == holders.addresses[0] and s.end > settled
            }
            assert holding == {master}
