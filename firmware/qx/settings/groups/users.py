# SPDX-License-Identifier: Apache-2.0
"""users: who may log in (R25). Only hashes of passwords are kept; `trust.password` makes them.

`admin` is there without a row: see `trust.account`.
"""

from __future__ import annotations

from ...model import Model
from ..setting import Key, Setting
from ..texts import PASSWORD_HASH
from ..values import Choice, Flag, Text

USERS = 32


def _users(_model: Model) -> int:
    return USERS


KEYS = {
    "<user>": Key("[a-z][a-z0-9_-]{0,31}", "a name of up to 32 small letters, digits, _ and -", most=_users)
}

SETTINGS = (
    Setting("users.<user>.password", PASSWORD_HASH, None, "Password",
            "Its Argon2id hash. Without one the user cannot log in, but for admin, whose password is the "
            "factory's then: the serial number.", "shared", secret=True),
    Setting("users.<user>.change_password", Flag(), False, "Must Change Password",
            "At the next login, as with the factory's.", "shared"),
    Setting("users.<user>.role", Choice(("administrator", "operator")), "administrator", "Role",
            "An operator changes nothing.", "shared"),
    Setting("users.<user>.enabled", Flag(), True, "Enabled", "Whether this user may log in.", "shared"),
    Setting("users.<user>.full_name", Text(0, 64), "", "Full Name", "Shown beside what the user did.",
            "shared"),
)  # fmt: skip
