# SPDX-License-Identifier: Apache-2.0
"""Everything of the product killed at once: the address does not outlive it for long (R11)."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from board.lab import namespace
from board.lab.demo import Demo
from board.lab.pair import Lab

from counts import SOAK, count
from holders import Holders
from labtools import becomes, guardian_pid, kill_everything, make_lab, restart, wait_for
from pairs import Log, held_now

ALL_GONE = 3.5  # seconds after the kill, with nothing restarted
SHAPES = {
    "virtual": Demo(plan="other"),
    "physical": Demo(plan="same", virtual_mac=False),
}


@pytest.fixture(scope="module", params=list(SHAPES) if SOAK else ["virtual"])
def one(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Unit a as Master, unit b without power: nobody else is there to take anything over."""
    with make_lab("gd", tmp_path_factory.mktemp("one")) as lab:
        lab.up(SHAPES[request.param], power=False, fresh=True)
        lab.power_on("a")
        becomes(lab, "a", "master", 8.0)
        yield lab


def test_nothing_is_left_after_a_while(one: Lab) -> None:
    """R11: guardian and daemon killed, nothing restarted: no service address after 3.5 s."""
    assert held_now(one)["a"]
    with Holders(one) as holders:
        moment = time.monotonic()
        kill_everything(one, "a")
        wait_for(lambda: not held_now(one)["a"], ALL_GONE + 1.0, "the addresses are gone", 0.02)
        last = max(span.end for span in holders.spans())
    print(f"gone {last - moment:.2f} s after the kill")
    assert last - moment < ALL_GONE
    restart(one, "a")
    becomes(one, "a", "master", 10.0)


def test_nothing_is_left_after_a_new_start(one: Lab) -> None:
    """R11: started again 200 ms after the kill, the addresses are gone 50 ms after the start."""
    for _ in range(count(1, 10)):
        with Holders(one) as holders:
            kill_everything(one, "a")
            time.sleep(0.2)
            assert holders.now() == ["a"], "the kernel has not taken it yet"
            start = time.monotonic()
            restart(one, "a")
            started = time.monotonic()  # `ip netns exec` and setsid take their time before it is running
            time.sleep(0.2)
            gone = max(span.end for span in holders.spans() if span.start < start)
            assert gone < started + 0.05, f"gone {(gone - started) * 1000:.0f} ms after the start"
            becomes(one, "a", "master", 10.0)


def test_the_guardian_alone_is_killed(one: Lab) -> None:
    """R11: the daemon ends in order: the address goes at once, with an advertisement of priority 0."""
    log = Log(one, "a")
    with Holders(one) as holders:
        moment = time.monotonic()
        os.kill(guardian_pid(one, "a"), signal.SIGKILL)
        wait_for(lambda: not namespace.processes(one.network.name("a")), 5.0, "the daemon ends too", 0.01)
        gone = max(span.end for span in holders.spans())
    assert gone - moment < 0.5
    assert "Traceback" not in log.text()
    restart(one, "a")
    becomes(one, "a", "master", 10.0)


@pytest.mark.parametrize("stopped", [False, True], ids=["daemon-runs", "daemon-hangs"])
def test_an_orderly_end_leaves_the_machine_as_it_was(tmp_path: Path, stopped: bool) -> None:
    """R11: addresses, interfaces, routes and sysctls are what they were before the first start, also where
    the daemon can put nothing back itself."""
    with make_lab("oe", tmp_path) as lab:
        lab.up(SHAPES["virtual"], power=False, fresh=True)
        lab.power_on("a", bare=True)
        before = machine(lab)
        lab.units["a"].start()
        becomes(lab, "a", "master", 8.0)
        assert machine(lab) != before
        if stopped:
            os.kill(lab.units["a"].daemon_pid(), signal.SIGSTOP)
        os.kill(guardian_pid(lab, "a"), signal.SIGTERM)
        wait_for(lambda: not namespace.processes(lab.network.name("a")), 10.0, "all processes end")
        assert machine(lab) == before


def machine(lab: Lab) -> list[str]:
    """What a unit's network is set to, as text."""
    looks = (
        ["ip", "-br", "-4", "address"],
        ["ip", "route", "show", "table", "all", "type", "unicast"],
        ["ip", "-br", "link"],
        ["sh", "-c", "grep -r . /proc/sys/net/ipv4/conf/*/arp_* /proc/sys/net/ipv4/conf/*/rp_filter"],
    )
    return [lab.exec("a", argv).stdout for argv in looks]
