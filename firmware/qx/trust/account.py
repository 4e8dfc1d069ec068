# SPDX-License-Identifier: Apache-2.0
"""account: who may log in, read from the settings (R25). Pure.

`admin` is there before anybody has set anything: while it has no password it has the factory's, which is the
serial number on the unit's label and must be changed at the first login. So taking its settings back to their
defaults is the password reset.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, cast

if TYPE_CHECKING:
    from ..settings.view import Settings

Access = Literal["administrator", "operator"]

ADMIN = "admin"
NAME_MAX = 32  # characters
LENGTH_MIN, LENGTH_MAX = 8, 256  # of a password (NIST SP 800-63B: at least 8, no rules about kinds)


class Account(NamedTuple):
    user: str
    hashed: str  # empty: the factory's password
    must_change: bool
    role: Access


def find(settings: Settings, user: str) -> Account | None:
    """The account of that name; None where there is none, or where it cannot log in."""
    if not 0 < len(user) <= NAME_MAX or settings.schema.find(f"users.{user}.role") is None:
        return None
    hashed = settings.text(f"users.{user}.password")
    if not settings.flag(f"users.{user}.enabled") or not (hashed or user == ADMIN):
        return None
    return Account(
        user,
        hashed,
        not hashed or settings.flag(f"users.{user}.change_password"),
        cast(Access, settings.text(f"users.{user}.role")),
    )


def unfit(text: str, user: str, factory: str) -> str:
    """Why this cannot be that user's new password; empty where it can. `factory`: the unit's first one."""
    if not LENGTH_MIN <= len(text) <= LENGTH_MAX:
        return f"{len(text)} characters; expected {LENGTH_MIN} to {LENGTH_MAX}"
    import unicodedata  # noqa: PLC0415 - not for a daemon in which no password changes

    plain = unicodedata.normalize("NFKC", text).casefold()
    if plain == factory.casefold():
        return "it is the factory's; expected another one"
    if plain == user.casefold() or len(set(plain)) < 3:
        return "it is guessed at once; expected neither the user's name nor one character over and over"
    return ""
