# SPDX-License-Identifier: Apache-2.0
"""A Master that knows of no active Backup keeps its addresses while its daemon is started anew (R9)."""

import itertools
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import pytest
from board.lab.pair import Lab

from counts import bound
from holders import Holders
from labtools import Capture, becomes, other, qx, wait_for
from pairs import DEFAULT, Log, pair, probing
from tracing import Frozen, leave


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Lab, str]]:
    """A lab and its Master, whose Backup has no power."""
    with pair("al", tmp_path_factory.mktemp("alone"), DEFAULT) as lab:
        master = next(unit for unit in lab.units if qx(lab, unit)["role"] == "master")
        lab.power_off(other(master))
        wait_for(lambda: qx(lab, master)["peer"]["state"] == "down", 5.0, "the Backup counts as down")
        yield lab, master


@dataclass(frozen=True)
class End:
    """How the daemon is brought to its end, and the seconds until a new one may be expected."""

    way: Callable[[int], object]
    says: str
    within: float = 5.0
    held: bool = False


ENDS = {
    "SIGKILL": End(lambda pid: os.kill(pid, signal.SIGKILL), "signal 9 ("),
    "SIGSEGV": End(lambda pid: os.kill(pid, signal.SIGSEGV), "signal 11 ("),
    "exit": End(lambda pid: leave(pid, 5), "exit code 5"),
    "SIGSTOP": End(lambda pid: os.kill(pid, signal.SIGSTOP), "the engine hangs"),
    "frozen-python": End(print, "the control plane hangs", 16.0, held=True),
}


@pytest.mark.parametrize("name", ENDS)
def test_the_addresses_stay(alone: tuple[Lab, str], name: str) -> None:
    """R9: no ping is missed, advertisements go on, and the new daemon is Master of what was kept."""
    lab, master = alone
    end = ENDS[name]
    becomes(lab, master, "master", 10.0)
    pid, log = lab.units[master].daemon_pid(), Log(lab, master)
    frozen: AbstractContextManager[object] = Frozen(pid) if end.held else nullcontext()
    with (
        Holders(lab) as holders,
        Capture(lab, "pc", match="ip proto 112") as capture,
        probing(lab) as probe,
        frozen,
    ):
        moment = time.monotonic()
        end.way(pid)
        log.says(end.says, end.within)
        log.says("service addresses stay", 1.0)
        log.says("role master", end.within + 10.0)
        becomes(lab, master, "master", 5.0)
        time.sleep(1.5)
        assert lab.units[master].daemon_pid() != pid
        silence = probe.longest_silence(moment)
        assert holders.held_throughout(master, moment), "never away from the interface"
        assert silence < bound(50, 400), f"silent for {silence:.1f} ms"
    adverts = capture.adverts()
    gaps = [after.at - before.at for before, after in itertools.pairwise(adverts)]
    assert all(advert.priority > 0 for advert in adverts), "it never says that it lets go"
    assert len(adverts) >= 3 and max(gaps) < bound(1.5, 2.5), gaps
    assert qx(lab, master)["vrrp"]["cause"] == "resumed"
    print(f"{name}: silent for {silence:.1f} ms, longest gap of advertisements {max(gaps):.2f} s")
