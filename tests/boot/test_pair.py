# SPDX-License-Identifier: Apache-2.0
"""Two emulated units as a pair, seen from outside: power, the LAN, LED lines and serial lines.

One pair for all of them, in the order of the file: a cold boot takes a minute where others work as well. The
emulator's clock is this computer's, so times of a loaded computer say little; they are recorded, not judged.
"""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Callable, Iterator

import emulated
import pytest
from board.virt.vm import UNITS, Pair
from emulated import BOOT, Ear, becomes, started, status, wait_for

pytestmark = pytest.mark.vm


@pytest.fixture(scope="module")
def ear() -> Ear:
    return Ear()


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory, ear: Ear) -> Iterator[Pair]:
    pair = Pair(tmp_path_factory.mktemp("vm"), pages=True)
    emulated.needs_image(pair)
    pair.blank()
    with pair:
        assert pair.lan
        pair.lan.watch = ear
        yield pair


def master_of(pair: Pair) -> tuple[str, str]:
    """(Master, Backup), once both agree on it."""

    def look() -> tuple[str, str] | None:
        told = {name: status(machine) for name, machine in pair.machines.items()}
        for one, two in (("a", "b"), ("b", "a")):
            if told[one].get("role") == "master" and told[two].get("role") == "backup":
                return one, two
        return None

    found = wait_for(look, BOOT, "one Master and one Backup")
    assert found
    return found


def green(pair: Pair, name: str, seconds: float) -> set[tuple[int, int]]:
    """The levels (green, red) of the status LED's lines that were seen in that time, outside the guest."""
    seen: set[tuple[int, int]] = set()
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        levels = pair.machines[name].leds()
        seen.add((levels.get(0, 0), levels.get(1, 0)))
        time.sleep(0.05)
    return seen


def test_power_on_to_backup(pair: Pair, record_figures: Callable[..., None]) -> None:
    """R46, R4: from power-on to one Master and one Backup, with the login page served."""
    for machine in pair.machines.values():
        machine.power_on()
    booted = {name: started(machine) for name, machine in pair.machines.items()}
    served = {}
    for (name, machine), key in zip(pair.machines.items(), pair.keys(), strict=True):
        told = becomes(machine, "standalone")
        served[name] = time.monotonic() - machine.powered_at
        assert told["serial"] == UNITS[name].serial
        pair.set_up(name, key)
    master, backup = master_of(pair)
    record_figures(started_s=booted, answering_s=served)
    print(f"started after {booted}, answering after {served}; {master} is Master, {backup} Backup")
    assert status(pair.machines[backup])["mode"] == "active"


def test_login_page(pair: Pair) -> None:
    """R25, R46: the pages of both units are served on 127.0.0.1."""
    for name, who in UNITS.items():

        def page(port: int = who.pages) -> str:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30) as answer:
                    return answer.read().decode()
            except OSError:
                return ""

        text = wait_for(page, 240, f"the login page of {name}")
        assert "password" in text.lower()


def test_leds_from_outside(pair: Pair) -> None:
    """R36, R46: the status LED's lines as docs/leds.md says, read outside of the guest: no red."""
    master, backup = master_of(pair)
    wait_for(
        lambda: (status(pair.machines[master]).get("leds") or {}).get("state") == "master", 120, "protected"
    )
    for name in (master, backup):
        told = status(pair.machines[name])["leds"]
        assert told["state"] == ("master" if name == master else "backup")
        assert told["colour"] == "green"
        seen = green(pair, name, 4)
        assert all(red == 0 for _, red in seen)
        assert any(level == 1 for level, _ in seen)


def test_power_cut_of_the_master(pair: Pair, ear: Ear, record_figures: Callable[..., None]) -> None:
    """R9, R46: the plug of the Master is pulled: takeover; back on: Backup, and never two Masters."""
    master, backup = master_of(pair)
    at = pair.machines[master].power_cut()
    address = UNITS[backup].virtual_ip
    first = wait_for(lambda: ear.first(address, at), 60, f"advertisements of {backup}")
    assert first
    record_figures(takeover_s=first - at)
    print(f"{backup} advertised {first - at:.2f} s after the power cut")
    assert first - at < 3 * 1.0 + 253 / 256 + 5  # Master_Down_Interval of version 2, and a loaded computer
    becomes(pair.machines[backup], "master", 60)
    pair.machines[master].power_on()
    started(pair.machines[master])
    becomes(pair.machines[master], "backup")
    assert status(pair.machines[backup])["role"] == "master"
    assert ear.masters(time.monotonic() - 3) == {address}


def test_kernel_panic_of_the_master(pair: Pair, ear: Ear, record_figures: Callable[..., None]) -> None:
    """R9: the Master's kernel panics: takeover, and the unit returns by itself, as Backup."""
    master, backup = master_of(pair)
    machine = pair.machines[master]
    lines = machine.said().count("Starting kernel")
    machine.run("echo 1 >/proc/sys/kernel/sysrq")
    at = time.monotonic()
    shell = machine._bench()
    shell.sendall(b"echo c >/proc/sysrq-trigger\n")
    address = UNITS[backup].virtual_ip
    first = wait_for(lambda: ear.first(address, at), 60, f"advertisements of {backup}")
    assert first
    record_figures(takeover_s=first - at)
    wait_for(lambda: machine.said().count("Starting kernel") > lines, BOOT, "another start of the kernel")
    machine._hang_up()
    becomes(machine, "backup")
    assert status(pair.machines[backup])["role"] == "master"


def test_nobody_feeds_the_watchdog(pair: Pair, record_figures: Callable[..., None]) -> None:
    """R45: guardian and daemon stand still: the hardware starts the unit anew, and it returns as Backup."""
    master, backup = master_of(pair)
    machine = pair.machines[backup]
    lines = machine.said().count("Starting kernel")
    at = time.monotonic()
    code, said = machine.run("kill -STOP $(cat /run/qx/guardian.pid) $(cat /run/qx/daemon.pid)")
    assert code == 0, said
    wait_for(lambda: machine.said().count("Starting kernel") > lines, BOOT, "another start of the kernel")
    record_figures(bitten_s=time.monotonic() - at)
    machine._hang_up()
    becomes(machine, "backup")
    assert status(pair.machines[master])["role"] == "master"


def test_frozen_guest(pair: Pair, ear: Ear, record_figures: Callable[..., None]) -> None:
    """R10: the Master stands still as a whole, its clock too: takeover; when it goes on, one Master."""
    master, backup = master_of(pair)
    at = time.monotonic()
    pair.machines[master].monitor("stop")
    first = wait_for(lambda: ear.first(UNITS[backup].virtual_ip, at), 60, f"advertisements of {backup}")
    assert first
    time.sleep(3)
    again = time.monotonic()
    pair.machines[master].monitor("cont")
    time.sleep(6)
    settled = ear.masters(time.monotonic() - 3)
    record_figures(takeover_s=first - at)
    assert len(settled) == 1, [entry for entry in ear.heard if entry[0] > again]
    master_of(pair)
