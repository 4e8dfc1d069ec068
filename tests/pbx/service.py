# SPDX-License-Identifier: Apache-2.0
"""What tests look at on a unit that serves: what `qx pbx` tells of it, and Kamailio itself."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from board.lab import namespace
from board.lab.demo import Demo
from board.lab.pair import Lab

from labtools import qx, wait_for
from pairs import Log

FAST = Demo(plan="other", version=3, interval="0.1", pbx=True)  # 100 ms, Kamailio as the image has it
DEFAULT = Demo(plan="other", pbx=True)


def shown(lab: Lab, unit: str, word: str = "status") -> dict[str, Any]:
    return json.loads(lab.qx(unit, "pbx", word, "--json").stdout or "{}")


def registered(lab: Lab, unit: str) -> int:
    return len(shown(lab, unit).get("registrations", ()))


def calls_up(lab: Lab, unit: str) -> int:
    return len(shown(lab, unit).get("calls", ()))


def phone_states(lab: Lab, unit: str) -> dict[int, str]:
    """What the phone run says of each, by extension."""
    told = json.loads(lab.qx(unit, "phones", "--json").stdout or "{}").get("phones", {})
    return {int(phone["name"].split()[0]): phone["state"] for phone in told.values()}


def application(lab: Lab, unit: str) -> dict[str, Any]:
    """Kamailio among the applications of `qx status`; {} where there is none."""
    return next((one for one in qx(lab, unit).get("applications", ()) if one["name"] == "kamailio"), {})


def said(text: str) -> list[str]:
    """The lines of Kamailio's log that no takeover may bring. Not that of its end, where the process for TCP
    may see the workers go before its own signal; a worker that dies is told of in other words as well."""
    bad = [line for line in text.splitlines() if "ERROR" in line or "CRITICAL" in line or "BUG" in line]
    return [line for line in bad if "receive_fd(): EOF on" not in line]


@contextlib.contextmanager
def quiet(lab: Lab) -> Iterator[None]:
    """Kamailio's own log has no error meanwhile, on either unit."""
    logs = [Log(lab, unit) for unit in lab.units]
    yield
    assert not [line for log in logs for line in said(log.text())]


def processes(lab: Lab, unit: str) -> list[int]:
    """Of Kamailio on that unit."""
    found: list[int] = []
    for pid in namespace.processes(lab.network.name(unit)):
        try:
            if Path(f"/proc/{pid}/comm").read_text().strip() == "kamailio":
                found.append(pid)
        except (FileNotFoundError, ProcessLookupError):
            continue  # ended meanwhile
    return sorted(found)


def located(lab: Lab, unit: str) -> int:
    """How many contacts Kamailio itself has; -1 where it does not answer."""
    told = _kamcmd(lab, unit, "stats.get_statistics", "usrloc:")
    return int(told.split("=")[1].split()[0]) if "=" in told else -1


def dialogs(lab: Lab, unit: str) -> int:
    """How many calls Kamailio itself has seen come up, and not end."""
    told = _kamcmd(lab, unit, "htable.stats").partition("name: dialogs\n")[2]
    return int(told.partition("all: ")[2].split()[0]) if told else -1


def reads(lab: Lab, unit: str, extension: int, seconds: float = 10.0) -> None:
    """Waits until the Kamailio there knows the account, and with it all that were set at once: whoever
    registers sooner gives wrong credentials, and ten of them are a ban."""
    wait_for(
        lambda: f"name: {extension}" in _kamcmd(lab, unit, "htable.get", "users", f"s:{extension}"),
        seconds, f"Kamailio knows {extension}",
    )  # fmt: skip


def _kamcmd(lab: Lab, unit: str, *words: str) -> str:
    control = lab.units[unit].root / "run" / "qx" / "kamailio" / "control"
    return lab.exec(unit, ["kamcmd", "-s", f"unix:{control}", *words]).stdout
