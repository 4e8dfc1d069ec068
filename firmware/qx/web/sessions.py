# SPDX-License-Identifier: Apache-2.0
"""sessions: who is logged in, in the memory of the pages' process alone. Pure: tokens in, `now` given.

A token is 32 random octets that only the browser has; here stands its hash, so a lookup tells nothing by its
time. A session ends after IDLE without a page, after LONGEST in any case, and when its user changes.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from hmac import compare_digest

IDLE = 30 * 60.0  # seconds
LONGEST = 12 * 3600.0
MOST = 64  # at once; the one that was used longest ago gives way
NOTICES = 8

ADMINISTRATOR = "administrator"


@dataclass(slots=True)
class Notice:
    """Something to be said once on the next page."""

    kind: str  # success, warning, critical, info
    text: str


@dataclass(slots=True)
class Session:
    user: str
    role: str  # administrator or operator
    must_change: bool  # a password that only its owner may know is due first
    since: float
    used: float
    csrf: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    notices: list[Notice] = field(default_factory=list)

    @property
    def administrator(self) -> bool:
        return self.role == ADMINISTRATOR

    def say(self, kind: str, text: str) -> None:
        self.notices = [*self.notices[1 - NOTICES :], Notice(kind, text)]

    def said(self) -> list[Notice]:
        notices, self.notices = self.notices, []
        return notices

    def genuine(self, token: str | None) -> bool:
        """Is it the token that this session's forms carry?"""
        return compare_digest((token or "").encode(), self.csrf.encode())


class Sessions:
    def __init__(self) -> None:
        self._open: dict[bytes, Session] = {}

    def __len__(self) -> int:
        return len(self._open)

    def open(self, user: str, role: str, must_change: bool, now: float) -> tuple[str, Session]:
        """The token for the browser, and the session."""
        self._sweep(now)
        while len(self._open) >= MOST:
            del self._open[min(self._open, key=lambda key: self._open[key].used)]
        token = secrets.token_urlsafe(32)
        session = self._open[_key(token)] = Session(user, role, must_change, now, now)
        return token, session

    def find(self, token: str | None, now: float, *, use: bool = True) -> Session | None:
        """None for a token of nobody. `use`: somebody looks at a page, as opposed to a page that lives."""
        session = self._open.get(_key(token)) if token else None
        if session is None or not _lives(session, now):
            return None
        if use:
            session.used = now
        return session

    def close(self, token: str | None) -> None:
        if token:
            self._open.pop(_key(token), None)

    def close_where(self, which: Callable[[Session], bool]) -> None:
        self._open = {key: session for key, session in self._open.items() if not which(session)}

    def _sweep(self, now: float) -> None:
        self.close_where(lambda session: not _lives(session, now))


def _lives(session: Session, now: float) -> bool:
    return now - session.used < IDLE and now - session.since < LONGEST


def _key(token: str) -> bytes:
    return sha256(token.encode("utf-8", "surrogatepass")).digest()
