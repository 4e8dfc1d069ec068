# SPDX-License-Identifier: Apache-2.0
"""A mail server and an SMS gateway for the lab's PC: `receiver.py FOLDER ADDRESS MAIL_PORT SMS_PORT HOLD`
writes one JSON line a mail (taken after HOLD seconds) and one a message to standard output, until its
input ends."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from receivers import gateway, mail_server


def say(told: dict[str, Any]) -> None:
    print(json.dumps(told), flush=True)


def main(folder: str, address: str, mail_port: str, sms_port: str, hold: str) -> None:
    with (
        mail_server(Path(folder), int(mail_port), address=address) as box,
        gateway(Path(folder), int(sms_port), address=address) as messages,
    ):
        box.hold = float(hold)
        box.say = messages.say = say
        print("ready", flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
