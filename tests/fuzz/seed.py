# SPDX-License-Identifier: Apache-2.0
"""Seeds for the fuzzers: each packet of tests/vectors/vrrp.json behind the octet that chooses its group.

Usage: seed.py FOLDER
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

VECTORS = Path(__file__).resolve().parent.parent / "vectors" / "vrrp.json"
# The order of GROUPS in fuzz_packet.c.
ANY, VERSION_2, VERSION_3, IPV6, OWNER = range(5)


def groups(local: dict[str, Any]) -> list[int]:
    if local["family"] == 6:
        return [IPV6, ANY]
    return [VERSION_2 if local["version"] == 2 else VERSION_3, OWNER, ANY]


def main() -> int:
    if len(sys.argv) != 2:
        print((__doc__ or "").strip().splitlines()[-1], file=sys.stderr)
        return 2
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for vector in json.loads(VECTORS.read_text()):
        for group in groups(vector["local"]):
            data = bytes([group]) + bytes.fromhex(vector["l3"])
            (folder / f"{vector['name']}-{group}").write_bytes(data)
    return 0


if __name__ == "__main__":
    sys.exit(main())
