# SPDX-License-Identifier: Apache-2.0
"""headers: the fixed form of the slots' environment, declared with construct: its documentation.

It is read with `struct` in use; a test holds both to this.
"""

from __future__ import annotations

from typing import Any

import construct  # pyright: ignore[reportMissingTypeStubs]

_c: Any = construct  # it has no types

COPY_SIZE = 0x4000  # octets, as in etc/fw_env.config and boot.scr

# One of the two copies, in the redundant form of U-Boot and libubootenv. Numbers are as the machine has them,
# and all of ours are little-endian. The flag is not in the CRC: it counts up with each write, modulo 256, and
# of two good copies the newer one counts.
COPY: Any = _c.Struct(
    "crc" / _c.Int32ul,  # CRC-32 of `variables`
    "flag" / _c.Int8ul,
    "variables" / _c.Bytes(COPY_SIZE - 5),  # name=value and a zero octet each; zeros to the end
)

# Of a language pack (language.py), before its body and signature.
LANGUAGE: Any = _c.Struct(
    "magic" / _c.Const(b"QXLP"),
    "format" / _c.Int16ub,
    "length" / _c.Int32ub,  # octets of the body
    "signer" / _c.Bytes(8),  # see trust.signers.signer_id
)
