# SPDX-License-Identifier: Apache-2.0
"""board: what differs between hardware, read from etc/qx/board.toml under the root.

Reads and writes that one file. Whether an interface exists is the engine's to say, not decided here.
"""

from __future__ import annotations

import json
import tomllib
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from .errors import NotProvisioned, Refusal

if TYPE_CHECKING:
    from pathlib import Path

    from .paths import Paths

LAB = "lab"
UNIT = "unit"
WATCHDOG_SECONDS = 30
HANG_MAX_MS = 10_000
PORT = "expected a whole number from 0 to 65535, 0 for no pages"


@dataclass(frozen=True, slots=True)
class Board:
    """One board. `kind` is `lab` (reboot, watchdog, hostname, clock and global sysctls of the machine are
    never touched) or `unit`; `wan` is empty where no WAN interface is wired. `watchdog` is the device, empty
    for none, and `watchdog_seconds` what it is set to while the daemon runs. `hang_ms`: the engine counts
    as hung no sooner (0: as the advertisement interval says), where processors may stand still."""

    name: str
    kind: str
    lan: str
    wan: str = ""
    http_port: int = 80  # of the pages; 0: this board serves none
    https_port: int = 443
    watchdog: str = ""
    watchdog_seconds: int = WATCHDOG_SECONDS
    hang_ms: int = 0

    @property
    def lab(self) -> bool:
        return self.kind == LAB


def interface_name(field: str, name: str) -> str:
    """Checks an interface name by the kernel's rules (dev_valid_name: 1-15 octets, neither `.` nor `..`,
    no `/`, no `:`, no white space). Raises Refusal naming `field`."""
    octets = name.encode("utf-8", "surrogateescape")
    if (
        not 1 <= len(octets) <= 15
        or name in (".", "..")
        or any(c in "/:" or c.isspace() or not c.isprintable() for c in name)
    ):
        raise Refusal(
            f"{field}: {name!r} is not an interface name; "
            "expected 1 to 15 characters without '/', ':' or white space"
        )
    return name


def to_toml(board: Board) -> str:
    """The text of board.toml (a JSON string is a TOML string)."""
    lines = [
        f"{field} = {json.dumps(value, ensure_ascii=False)}\n"
        for field, value in asdict(board).items()
        if not field.startswith(("watchdog", "hang"))  # of an image's own boards only
    ]
    return "# What this board is. Written by `qx provision`.\n" + "".join(lines)


def read_board(paths: Paths) -> Board:
    """Reads board.toml. Raises NotProvisioned when it is missing, Refusal when it is wrong."""
    file = paths.board_toml
    try:
        table: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise NotProvisioned(f"{file}: not found; expected a provisioned root (see `qx provision`)") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refusal(f"{file}: not readable as TOML ({error})") from None
    for key in ("name", "kind", "lan"):
        if not isinstance(table.get(key), str):
            raise Refusal(f"{file}: {key}: expected a text in quotes")
    wan = table.get("wan", "")
    if not isinstance(wan, str):
        raise Refusal(f"{file}: wan: expected a text in quotes, empty for none")
    if table["kind"] not in (LAB, UNIT):
        raise Refusal(f"{file}: kind: {table['kind']!r}; expected {LAB!r} or {UNIT!r}")
    interface_name(f"{file}: lan", table["lan"])
    if wan:
        interface_name(f"{file}: wan", wan)
        if wan == table["lan"]:
            raise Refusal(f"{file}: wan: {wan!r} is the LAN interface; expected another one")
    watchdog = table.get("watchdog", "")
    if not isinstance(watchdog, str) or (watchdog and table["kind"] == LAB):
        raise Refusal(f"{file}: watchdog: expected a device in quotes, and none in the lab")
    return Board(
        table["name"],
        table["kind"],
        table["lan"],
        wan,
        http_port=_whole(file, table, "http_port", 80, 0, 65535, PORT),
        https_port=_whole(file, table, "https_port", 443, 0, 65535, PORT),
        watchdog=watchdog,
        watchdog_seconds=_whole(file, table, "watchdog_seconds", WATCHDOG_SECONDS, 5, 300),
        hang_ms=_whole(file, table, "hang_ms", 0, 0, HANG_MAX_MS),
    )


def _whole(
    file: Path, table: dict[str, Any], name: str, usual: int, least: int, most: int, what: str = ""
) -> int:
    """`what`: was expected, where the range alone does not say it."""
    value = table.get(name, usual)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise Refusal(f"{file}: {name}: {what or f'{value!r}; expected {least} to {most}'}")
    return value
