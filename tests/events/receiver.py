# SPDX-License-Identifier: Apache-2.0
"""A mail server for the lab's PC: `receiver.py FOLDER ADDRESS PORT HOLD` writes one JSON line a mail to
standard output, HOLD seconds before it is answered, until its input ends."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from receivers import mail_server


def main(folder: str, address: str, port: str, hold: str) -> None:
    with mail_server(Path(folder), int(port), address=address) as box:
        box.hold = float(hold)
        box.say = lambda mail: print(json.dumps(mail), flush=True)
        print("ready", flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
