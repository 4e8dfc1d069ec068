# SPDX-License-Identifier: Apache-2.0
"""headers: the fixed headers of trust's binary formats, declared with construct: the documentation of each.

The daemon reads both with `struct`, because construct costs it 2.7 MB; a test holds each to its declaration.
Imported by tools and tests only.
"""

from __future__ import annotations

from typing import Any

import construct  # pyright: ignore[reportMissingTypeStubs]

_c: Any = construct  # it has no types

# Of a file in data/qx/trust (files.py), before its msgpack body.
SEALED: Any = _c.Struct(
    "magic" / _c.Bytes(4),
    "version" / _c.Int16ub,
    "length" / _c.Int32ub,
    "digest" / _c.Bytes(32),  # SHA-256 of the body
)

# Of a feature key (key.py), before its body, signature, pair key and checksum.
FEATURE_KEY: Any = _c.Struct(
    "magic" / _c.Bytes(5),
    "format" / _c.Int8ub,
    "signer" / _c.Bytes(8),  # see signers.signer_id
    "body" / _c.Int16ub,  # octets of the body
    "secret" / _c.Int8ub,  # octets of the pair key: 32, or 0 in a key without redundancy
)
