# SPDX-License-Identifier: Apache-2.0
"""A unit that was reset to factory settings meets one that has data, in every order of booting: the data wins
(R5; the failure of others behind it: a restarted, empty Master emptied its replicas)."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator

import pytest
from board.lab.network import UNITS
from board.lab.pair import Lab

from labtools import becomes, other, wait_for
from pairs import QUICK, get, in_step, pair, put, ready

ORDERS = {
    "the data first": ("data", "empty"),
    "the empty one first": ("empty", "data"),
    "at once": ("both",),
}


@pytest.fixture(scope="module")
def reset(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with pair("fr", tmp_path_factory.mktemp("reset"), QUICK) as lab:
        yield lab


def voice(lab: Lab, unit: str) -> dict[str, bytes]:
    root = lab.units[unit].root / "data/qx/voice"
    return {file.name: file.read_bytes() for file in root.glob("*.wav")}


def empty(lab: Lab, unit: str, keep_trust: bool) -> None:
    """As out of the box, with redundancy settings and its key. With `keep_trust` its certificate stays."""
    found = lab.units[unit]
    trust, away = found.root / "data/qx/trust", lab.folder / "trust"
    if keep_trust:
        shutil.copytree(trust, away)
    found.erase()
    found.provision(QUICK)
    found.configure(QUICK)
    if keep_trust:
        shutil.rmtree(trust, ignore_errors=True)
        shutil.move(away, trust)
    else:
        lab.license(unit)


def waits(lab: Lab, unit: str) -> bool:
    """A changed certificate waits for somebody to confirm it on this unit."""
    done = lab.qx(unit, "licence", "--json")
    pin = json.loads(done.stdout)["pin"] if done.returncode == 0 else {}
    return bool(pin.get("waiting") or pin.get("asked"))


@pytest.mark.parametrize("keep_trust", [True, False], ids=["settings lost", "all lost"])
@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS.keys())
def test_the_data_wins(reset: Lab, order: tuple[str, ...], keep_trust: bool) -> None:
    """R5: nothing is erased on the unit that has it, and the other one gets all of it."""
    for unit in UNITS:
        reset.power_on(unit)
    master = ready(reset)
    (reset.units[master].root / "data/qx/voice/hello.wav").write_bytes(b"hello" * 1000)
    put(reset, master, "extensions.101.name=Ann", "mail.user=pbx@example.com")
    in_step(reset)
    wait_for(lambda: voice(reset, "a") and voice(reset, "a") == voice(reset, "b"), 3.0, "the file crosses")
    for unit in UNITS:
        reset.power_off(unit)
    units = {"data": (master,), "empty": (other(master),), "both": UNITS}
    empty(reset, other(master), keep_trust)
    for number, which in enumerate(order):
        for unit in units[which]:
            reset.power_on(unit)
        if not number and len(order) > 1:
            becomes(reset, units[which][0], "master", 5.0)
    if not keep_trust:  # its certificate is another one, and somebody has to say that it is right (R17)
        for unit in UNITS:
            wait_for(lambda: waits(reset, unit), 10.0, f"a certificate waits on unit {unit}")  # noqa: B023
            done = reset.qx(unit, "licence", "confirm")
            assert done.returncode == 0, done.stderr
    ready(reset, 60.0)
    in_step(reset, 20.0)
    for unit in UNITS:
        assert get(reset, unit, "extensions.101.name") == "Ann"
        assert get(reset, unit, "mail.user") == "pbx@example.com"
    wait_for(lambda: voice(reset, "b") == voice(reset, "a") != {}, 5.0, "voice data has crossed")
    assert voice(reset, "a") == {"hello.wav": b"hello" * 1000}
