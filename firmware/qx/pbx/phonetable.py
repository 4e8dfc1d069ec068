# SPDX-License-Identifier: Apache-2.0
"""phonetable: how each vendor's phones are asked to restart (R23): data, read from phones.toml beside this
and from etc/qx/phones.toml, which an administrator may edit."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from ..errors import Refusal
from ..paths import Paths


@dataclass(frozen=True, slots=True)
class Vendor:
    event: str  # with its parameter: `check-sync;reboot=true` is neither quoted nor escaped
    agent: str = ""  # of the User-Agent's beginning, a regular expression
    content_type: str = ""
    body: str = ""


def read_table(paths: Paths) -> dict[str, Vendor]:
    """The built-in table with that of etc/qx/phones.toml over it. Raises Refusal naming vendor and field."""
    found = table(files("qx.pbx").joinpath("phones.toml").read_text(encoding="utf-8"), "phones.toml")
    own = paths.etc_qx / "phones.toml"
    if own.exists():
        found |= table(own.read_text(encoding="utf-8"), str(own))
    return found


def table(text: str, name: str) -> dict[str, Vendor]:
    """Reads one. `name` is the file's, for what is refused."""
    try:
        entries: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Refusal(f"{name}: not readable as TOML ({error})") from None
    return {vendor: _vendor(name, vendor, entry) for vendor, entry in entries.items()}


def _vendor(name: str, vendor: str, entry: Any) -> Vendor:
    if not isinstance(entry, dict) or not entry.get("event"):
        raise Refusal(f"{name}: {vendor}: expected a table with event")
    for field, value in entry.items():
        if field not in Vendor.__slots__ or not isinstance(value, str):
            raise Refusal(f"{name}: {vendor}.{field}: expected a text, of {', '.join(Vendor.__slots__)}")
        if field != "body" and not value.isprintable():
            raise Refusal(f"{name}: {vendor}.{field}: expected one line")
    try:
        re.compile(entry.get("agent", ""))
    except re.error as error:
        raise Refusal(f"{name}: {vendor}.agent: not a regular expression ({error})") from None
    return Vendor(**entry)


def vendor_of(known: Mapping[str, Vendor], chosen: str, agent: str) -> Vendor | None:
    """The vendor that is set, or that of the User-Agent where `other` is; None: to be restarted by hand."""
    if chosen in known:
        return known[chosen]
    return next((one for one in known.values() if one.agent and re.match(one.agent, agent)), None)
