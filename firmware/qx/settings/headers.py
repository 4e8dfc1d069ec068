# SPDX-License-Identifier: Apache-2.0
"""headers: the fixed headers of our binary formats, declared with construct: the documentation of each.

Delta frames and snapshots are read with `struct` where they are read often; a test holds both to these.
Imported by the archive, by tools and by tests, never on the way of a commit or of a light command.
"""

from __future__ import annotations

from typing import Any

import construct  # pyright: ignore[reportMissingTypeStubs]

_c: Any = construct  # it has no types

DELTA: Any = _c.Struct(
    "magic" / _c.Const(b"QXDF"),
    "version" / _c.Int16ub,
    "flags" / _c.Int16ub,
    "history" / _c.Bytes(16),
    "rev" / _c.Int64ub,
    "length" / _c.Int32ub,
    "prev" / _c.Bytes(16),
    "chain" / _c.Bytes(16),
)

SNAPSHOT: Any = _c.Struct(
    "magic" / _c.Const(b"QXSN"),
    "version" / _c.Int16ub,
    "flags" / _c.Int16ub,
    "generation" / _c.Int64ub,
    "length" / _c.Int32ub,
    "digest" / _c.Bytes(32),
)

ARCHIVE: Any = _c.Struct(
    "magic" / _c.Const(b"QXAR"),
    "version" / _c.Int16ub,
    "flags" / _c.Int16ub,
    "model" / _c.Bytes(16),
    "firmware" / _c.Bytes(16),
    "when" / _c.Int64ub,
    "length" / _c.Int32ub,
    "digest" / _c.Bytes(32),
)

# Of a conflict snapshot (sync/conflicts.py).
CONFLICT: Any = _c.Struct(
    "magic" / _c.Const(b"QXCF"),
    "version" / _c.Int16ub,
    "flags" / _c.Int16ub,
    "length" / _c.Int32ub,
    "digest" / _c.Bytes(32),
)

# Of a message within the session between the two units (redundancy/peer/message.py).
MESSAGE: Any = _c.Struct(
    "kind" / _c.Int8ub,
    "zero" / _c.Const(bytes(3)),
    "length" / _c.Int32ub,
)
