# SPDX-License-Identifier: Apache-2.0
"""refusals: who was refused and why: counted always, told once an hour (R17). Pure.

Bounded: whoever has many addresses fills no memory. Sources beyond the limit are counted together.
"""

from __future__ import annotations

from collections import Counter

from ...errors import Refusal

HOUR = 3600.0  # seconds until the same is told again
SOURCES_MAX = 256
OTHERS = "others"

REASONS = {
    "source": "a connection that does not come from the peer's Virtual IP Address",
    "limit": "too many connections that have not authenticated",
    "time": "the handshake took longer than 3 s",
    "tls": "no TLS 1.3 with a certificate",
    "certificate": "another certificate than the pinned one",
    "serial": "a unit of another serial number",
    "proof": "no proof of our pair key",
    "message": "octets that are no message of ours",
}


class NotAuthenticated(Refusal):
    """Somebody has not shown to be the peer. `reason` is one of REASONS."""

    def __init__(self, reason: str, text: str = "") -> None:
        super().__init__(text or REASONS[reason])
        self.reason = reason


class Refusals:
    def __init__(self) -> None:
        self.by_reason: Counter[str] = Counter(dict.fromkeys(REASONS, 0))
        self.by_source: Counter[str] = Counter()
        self._told: dict[tuple[str, str], float] = {}

    def refused(self, source: str, reason: str, now: float) -> bool:
        """Counts it. True when it is to be told. Raises KeyError for a reason that has no name."""
        if reason not in REASONS:
            raise KeyError(reason)
        self.by_reason[reason] += 1
        if source not in self.by_source and len(self.by_source) >= SOURCES_MAX:
            source = OTHERS
        self.by_source[source] += 1
        last = self._told.get((source, reason))
        if last is not None and now < last + HOUR:
            return False
        self._told[source, reason] = now
        return True
