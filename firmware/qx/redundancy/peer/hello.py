# SPDX-License-Identifier: Apache-2.0
"""hello: what the two units say of themselves in the session, and in what they differ (R5). Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PeerHello:
    """`role` and `mode` as `qx status` names them; they are told anew whenever they change."""

    serial: str
    model: str
    firmware: str
    licences: tuple[bytes, ...] = ()  # the vendor-signed public parts of the keys in force
    language: str = ""  # name and version of the language pack; empty where there is none
    role: str = "starting"
    mode: str | None = None
    term: int = 0
