# SPDX-License-Identifier: Apache-2.0
"""schema: every setting, declared once: path, type and range, default, help, scope, models, secret or not.

Validation, CLI and documentation (and the pages) come from this table, so a setting is added in `groups` and
nowhere else. Rules that span several settings stand in `rules`. Pure data.

Scopes (R13): `unit`, the unit's own, never leaves it; `pair`, the same on both, set locally only before the
first pairing and through the Master afterwards; `shared`, follows the Master.
"""

from __future__ import annotations

from .groups import network, notification, redundancy, telephony, users, web
from .setting import Key, Place, Schema, Scope, Setting, Table

__all__ = ["KEYS", "SCHEMA", "Key", "Place", "Schema", "Scope", "Setting", "Table"]

KEYS: dict[str, Key] = {**telephony.KEYS, **notification.KEYS, **users.KEYS}

SCHEMA = Schema(
    (
        *redundancy.SETTINGS,
        *network.SETTINGS,
        *telephony.SETTINGS,
        *notification.SETTINGS,
        *users.SETTINGS,
        *web.SETTINGS,
    ),
    KEYS,
)
