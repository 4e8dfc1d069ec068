# SPDX-License-Identifier: Apache-2.0
"""Which two units are a pair: another model, keys not for each other, keys that are none (R1, R5, R37)."""

from __future__ import annotations

import subprocess
import time
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from board.lab import namespace
from board.lab.demo import ISSUE_KEYS, install_key
from board.lab.network import UNITS
from board.lab.pair import Lab
from board.vendor import issuing

from counts import SOAK
from labtools import becomes, make_lab, qx, reaches, role, stays, wait_for
from pairs import QUICK, another_daemon, events, held_now, in_step, pair, ready, service
from qx.redundancy.alone import PATIENCE
from qx.trust import key

SERIALS = ("QX200-000001", "QX200-000002")
SOON = 5.0  # seconds in which a mismatch is shown on both units (R5)


def issued(a: str, b: str, *options: str) -> list[str]:
    """A set of the development's vendor: the key for `a`, the key for `b`."""
    return namespace.run([str(ISSUE_KEYS), *options, a, b]).split()


def install(lab: Lab, unit: str, text: str) -> None:
    install_key(lab.units[unit].executable, lab.units[unit].root, text)


def pasted(lab: Lab, unit: str, text: str) -> subprocess.CompletedProcess[str]:
    """`qx licence install -`, whatever comes of it."""
    found = lab.units[unit]
    return subprocess.run(
        [found.executable, "licence", "install", "-", "--root", found.root],
        input=text + "\n", capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip


def overdue() -> str:
    """A key for unit a that was to be installed years ago."""
    vendor, then = issuing.read_signer(issuing.DEVELOPMENT_FILE), date(2020, 2, 2)
    return issuing.issue(SERIALS, [key.REDUNDANCY], vendor, then, then)[0]


def named(lab: Lab, unit: str, words: str) -> bool:
    """An event of the unit has the words."""
    return any(words in one["description"] for one in events(lab, unit))


def differs(lab: Lab, unit: str, parameter: str) -> bool:
    """The unit's status names the parameter."""
    return any(one["parameter"] == parameter for one in qx(lab, unit).get("mismatches", []))


def nobody_takes_over(lab: Lab, later: str, working: str) -> None:
    """The later unit holds nothing, also when the one that works is gone; that one is not disturbed."""
    assert reaches(lab, "pc", service(lab)) and held_now(lab)[later] == []
    lab.power_off(working)
    stays(lambda: held_now(lab)[later] == [], 2.0, "the later unit does not take over", 0.02)


def test_another_model_is_shown_on_both_units(tmp_path: Path) -> None:
    """R5: by name within 5 s, with an event; the later one is in fault and never takes over."""
    with make_lab("om", tmp_path) as lab:
        lab.up(replace(QUICK, licence=False), fresh=True, power=False)
        stranger = replace(QUICK, model="qx50")
        lab.units["b"].erase()
        lab.units["b"].provision(stranger)
        lab.units["b"].configure(stranger)
        for unit, text in zip(UNITS, issued(SERIALS[0], stranger.serial("b")), strict=True):
            install(lab, unit, text)
        lab.power_on("a")
        becomes(lab, "a", "master")
        since = time.monotonic()
        lab.power_on("b")
        for unit, ours, theirs in (("a", "qx200", "qx50"), ("b", "qx50", "qx200")):
            shown = {"parameter": "model", "ours": ours, "theirs": theirs}
            wait_for(lambda: shown in qx(lab, unit).get("mismatches", []),  # noqa: B023
                     SOON - (time.monotonic() - since), f"unit {unit} names the model")  # fmt: skip
            wait_for(lambda: named(lab, unit, f"model: {ours} here, {theirs}"), 2.0, "an event")  # noqa: B023
        assert becomes(lab, "b", "fault", 1.0)["why"] == "model: qx50 here, qx200 on the other unit"
        assert role(lab, "a") == "master"
        nobody_takes_over(lab, "b", "a")


@pytest.mark.parametrize(
    ("for_a", "for_b", "on_a", "on_b"),
    [
        pytest.param(
            (*SERIALS, 0), (*SERIALS, 1), "our pair key", "redundancy key of our set", id="of another set"
        ),
        pytest.param(
            (*SERIALS, 0), ("QX200-000009", SERIALS[1], 1), "our pair key",
            f"the other unit is {SERIALS[0]}; expected QX200-000009", id="for another peer",
        ),
        pytest.param(
            (SERIALS[0], "QX200-000009", 0), (*SERIALS, 1),
            f"the other unit is {SERIALS[1]}; expected QX200-000009", "our pair key", id="of a replaced unit",
        ),
    ],
)  # fmt: skip
def test_keys_that_are_not_for_each_other(
    tmp_path: Path, for_a: tuple[str, str, int], for_b: tuple[str, str, int], on_a: str, on_b: str
) -> None:
    """R5: named on both units within 5 s; the later one is in fault, and never takes over."""
    with make_lab("ok", tmp_path) as lab:
        lab.up(replace(QUICK, licence=False), fresh=True, power=False)
        for unit, (one, two, which) in zip(UNITS, (for_a, for_b), strict=True):
            install(lab, unit, issued(one, two)[which])
        lab.power_on("a")
        becomes(lab, "a", "master")
        since = time.monotonic()
        lab.power_on("b")
        for unit, words in (("a", on_a), ("b", on_b)):
            left = SOON - (time.monotonic() - since)
            wait_for(lambda: named(lab, unit, words), left, f"unit {unit} says {words!r}")  # noqa: B023
            wait_for(lambda: differs(lab, unit, "licence"), 2.0, f"unit {unit} shows it")  # noqa: B023
        told = becomes(lab, "b", "fault", 2.0)
        assert on_b in told["why"]
        assert role(lab, "a") == "master"
        nobody_takes_over(lab, "b", "a")


def test_a_key_of_another_set_on_a_pair(tmp_path: Path) -> None:
    """R5, R17: a pair that is connected by its certificates is none any more when the keys part; with the
    other half of the set it is one again, and the Master never stopped serving."""
    with pair("as", tmp_path, QUICK) as lab:
        master = ready(lab)
        backup = "b" if master == "a" else "a"
        in_step(lab)
        keys = dict(zip(UNITS, issued(*SERIALS), strict=True))
        install(lab, backup, keys[backup])
        told = becomes(lab, backup, "fault", 15.0)
        assert "licence: " in told["why"] and "set " in told["why"]
        wait_for(lambda: differs(lab, master, "licence"), SOON, "the Master names it")
        assert role(lab, master) == "master" and held_now(lab)[backup] == []
        install(lab, master, keys[master])
        assert ready(lab) == master
        in_step(lab)
        assert not qx(lab, master)["mismatches"] and not qx(lab, backup)["mismatches"]


def test_a_unit_without_a_key_beside_a_master(tmp_path: Path) -> None:
    """R1: it says so, joins no group, and finds the Master's address in use."""
    with make_lab("nk", tmp_path) as lab:
        lab.up(QUICK, fresh=True, power=False)
        (lab.units["b"].root / "data/qx/trust/keys").unlink()
        (lab.units["b"].root / "data/qx/trust/peer").unlink()
        lab.power_on("a")
        becomes(lab, "a", "master")
        lab.power_on("b")
        told = becomes(lab, "b", "fault", 5.0)
        assert "network." in told["why"] and "is held by the station" in told["why"]
        assert "no redundancy key is installed" in told["licence"]["why"]
        assert role(lab, "a") == "master" and held_now(lab)["b"] == []


def test_keys_that_are_refused_by_name(tmp_path: Path) -> None:
    """R37: for another serial, expired, forged, truncated: named, and the pair is what it was."""
    with pair("rk", tmp_path, QUICK) as lab:
        master = ready(lab)
        pids = {unit: lab.units[unit].daemon_pid() for unit in UNITS}
        good = issued(*SERIALS)[0]
        middle = len(good) // 2
        forged = good[:middle] + ("A" if good[middle] != "A" else "B") + good[middle + 1 :]
        for text, words in (
            (issued("QX200-000007", SERIALS[1])[0], "QX200-000007"),
            (overdue(), "expired: to be installed until 2020-02-02"),
            (forged, "mistyped"),
            (good[:-20], "truncated"),
            ("x" * 5000, "not a feature key"),
        ):
            done = pasted(lab, "a", text)
            assert done.returncode == 1 and words in done.stderr and "feature key" in done.stderr, done.stderr
            assert text[10:-10] not in done.stderr
        assert ready(lab) == master
        assert {unit: lab.units[unit].daemon_pid() for unit in UNITS} == pids


def test_a_feature_that_one_unit_lacks(tmp_path: Path) -> None:
    """R5, R37: shown on both units within 5 s, and the Backup still takes over."""
    with pair("fl", tmp_path, QUICK) as lab:
        master = ready(lab)
        backup = "b" if master == "a" else "a"
        in_step(lab)
        keys = dict(zip(UNITS, issued(*SERIALS, "--features", "fax"), strict=True))
        pid = lab.units[backup].daemon_pid()
        install(lab, backup, keys[backup])
        another_daemon(lab, backup, pid)
        since = time.monotonic()
        for unit in UNITS:
            left = SOON - (time.monotonic() - since)
            wait_for(lambda: differs(lab, unit, "licence.fax"), left, f"unit {unit} names it")  # noqa: B023
        assert ready(lab) == master
        lab.power_off(master)
        becomes(lab, backup, "master", 5.0)


def test_a_backup_that_was_never_paired(tmp_path: Path) -> None:
    """R5: nothing of the session passes between the two. It does not take over from the Master that it
    hears, and says why. When that one has been gone for half a minute it serves, as after a start."""
    with make_lab("np", tmp_path) as lab:
        lab.up(QUICK, fresh=True, power=False)
        lab.power_on("a")
        becomes(lab, "a", "master")
        lab.power_on("b", bare=True)
        rules = "table inet t { chain i { type filter hook input priority 0; tcp dport 7779-7780 drop; }; "
        rules += "chain o { type filter hook output priority 0; tcp dport 7779-7780 drop; }; }"
        lab.exec("b", ["nft", rules]).check_returncode()
        lab.units["b"].start()
        becomes(lab, "b", "backup", 8.0)
        lacking = "its first copy of the Master's state is not finished"
        wait_for(lambda: lacking in (qx(lab, "b")["why"] or ""), 3.0, "it says why it would not take over")
        lab.power_off("a")
        gone = time.monotonic()
        stays(lambda: held_now(lab)["b"] == [], 3.0, "it does not take over")
        assert lacking in qx(lab, "b")["why"]
        if SOAK:
            becomes(lab, "b", "master", PATIENCE + 5)
            assert time.monotonic() - gone > PATIENCE - 1
