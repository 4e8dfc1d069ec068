# SPDX-License-Identifier: Apache-2.0
"""seed: each packet of tests/vectors/vrrp.json behind the octet that chooses its group (fuzz_packet.c)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

VECTORS = Path(__file__).resolve().parent.parent / "vectors" / "vrrp.json"
# The order of GROUPS in fuzz_packet.c.
ANY, VERSION_2, VERSION_3, IPV6, OWNER = range(5)


def groups(local: dict[str, Any]) -> list[int]:
    if local["family"] == 6:
        return [IPV6, ANY]
    return [VERSION_2 if local["version"] == 2 else VERSION_3, OWNER, ANY]


def write(folder: Path) -> None:
    """The seeds into a folder that is there."""
    for vector in json.loads(VECTORS.read_text()):
        for group in groups(vector["local"]):
            data = bytes([group]) + bytes.fromhex(vector["l3"])
            (folder / f"{vector['name']}-{group}").write_bytes(data)
