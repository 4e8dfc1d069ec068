# SPDX-License-Identifier: Apache-2.0
"""ports: the ports that can be chosen are nobody else's (R2, Bad input). Pure."""

from __future__ import annotations

from collections.abc import Iterator

from ... import ports
from ..field import FieldError
from ..view import Settings

GUI, SIP = "redundancy.backup_gui_port", "call.sip_port"
TAKEN = {
    80: "the Master's own pages",
    443: "the Master's own pages",
    ports.SESSION: "the session between the two units",
    ports.PAIRING: "the pairing of the two units",
    ports.PASSAGE: "the pages of the Backup, between the two units",
}


def _apart(settings: Settings) -> Iterator[FieldError]:
    for path in (GUI, SIP):
        port = settings[path]
        if isinstance(port, int) and port in TAKEN:
            yield FieldError(path, f"{port}: {TAKEN[port]}; expected another port")
    if settings[GUI] == settings[SIP]:
        yield FieldError(GUI, f"{settings[GUI]}: {SIP}; expected another port")


GROUPS = ("redundancy", "call")
RULES = (_apart,)
