# SPDX-License-Identifier: Apache-2.0
"""The registrations of a QX2000, as many as it can have, through power cuts of its Master (R18, R22)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from board.lab.demo import Demo
from board.lab.pair import Lab

from counts import SOAK, bound
from labtools import other, wait_for
from pairs import pair, probing, put, ready
from pbx.phones import Prober, Sipp, accounts, calls_of, register
from pbx.service import located, quiet, reads, registered

PHONES = range(10000, 12000)
PORT = 5100
LAST = PHONES[-1:]  # the last to be read; it is called before it registers again


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """100 ms advertisements; every phone has registered, and the Backup knows."""
    demo = Demo(model="qx2000", plan="other", version=3, interval="0.1", pbx=True)
    with pair("po", tmp_path_factory.mktemp("office"), demo) as lab:
        master = ready(lab)
        put(lab, master, "phone_reboot.policy=none", "call.register_time=3600", *accounts([*PHONES, 9000]))
        reads(lab, master, PHONES[-1])
        register(lab, [9000], 5070, 5061)
        register(lab, PHONES, 5070, PORT, rate=400)
        wait_for(
            lambda: registered(lab, other(master)) == len(PHONES) + 1, 1.0, "all are on the Backup", 0.02
        )
        yield lab


@pytest.mark.skipif(not SOAK, reason="2,000 phones with QX_SOAK=1")
@pytest.mark.parametrize("takeover", ["first", "back"])
def test_all_registrations_are_there_before_it_answers(
    office: Lab, takeover: str, record_figures: Callable[..., None]
) -> None:
    """R22: the new Master's Kamailio has all 2,001 when it first answers, and the last of them is called."""
    master = ready(office)
    backup = other(master)
    with quiet(office), Prober(office) as prober, probing(office) as pings:
        cut = office.power_off(master)
        assert cut is not None
        wait_for(lambda: prober.answered[-1] > cut + 0.1, 15.0, "the service answers", 0.001)
        assert located(office, backup) == len(PHONES) + 1
        back = prober.back_after(cut)
        moved = next(reply / 1e9 for reply in pings.replies() if reply / 1e9 > cut + 0.05)
    with (
        Sipp(office, "callee-ends", PORT, 1, media=20000, ring=100) as called,
        Sipp(office, "caller-changes", 5061, 1, media=40000, hold=300, after=0,
             rows=calls_of(range(9000, 9001), LAST)) as calling,
    ):  # fmt: skip
        calling.good()
        called.good()
    print(f"{takeover}: address back after {moved - cut:.3f} s, service {back - moved:.3f} s later")
    record_figures(address_s=round(moved - cut, 3), service_s=round(back - moved, 3))
    assert not prober.refused
    office.power_on(master)
    assert ready(office) == backup
    wait_for(lambda: registered(office, master) == len(PHONES) + 1, 5.0, "all are on the old one", 0.1)
    assert back - moved < bound(1.0, 3.0)
