# SPDX-License-Identifier: Apache-2.0
"""qx upgrade: the firmware slots: what runs, what is on trial, and an installation from a file or stdin."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from ..control import client
from ..errors import Refusal, WrongUsage
from ..upgrade.asked import PAIR_WAIT
from . import output
from .arguments import Arguments, read
from .reboot import HOWS, asking

UPLOAD_MAX = 256 << 20  # octets; image.IMAGE_MAX
CHUNK = 1 << 20


def run(argv: list[str]) -> int:
    arguments = read(argv, dict.fromkeys((*HOWS, "later", "pair"), False), count=(0, 1))
    word = (arguments.positional or ["status"])[0]
    given = [how for how in (*HOWS, "later", "pair") if how in arguments]
    if given and (word in ("status", "confirm") or len(given) > 1):
        raise WrongUsage(f"--{given[-1]}: expected with a file, and alone")
    if word in ("status", "confirm"):
        found = client.call(arguments.paths, f"upgrade_{word}")
        output.json(found) if arguments.json else output.text(status_text(found))
        return 0
    return _upgrade(arguments, word)


def _upgrade(arguments: Arguments, word: str) -> int:
    file = _uploaded(arguments) if word == "-" else Path(word).resolve()
    if "pair" in arguments:
        return _pair(arguments, file, word == "-")
    try:
        last: dict[str, Any] = {}
        for last in client.follow(arguments.paths, "upgrade_install", {"file": str(file)}):
            if "step" in last and not arguments.json:
                sys.stderr.write(f"{last['step']}: {last['percent']} %\n")
    finally:
        if word == "-":
            file.unlink(missing_ok=True)
    client.call(arguments.paths, "upgrade_activate")
    told = f"Version {last.get('version')} is in slot {last.get('slot')}, to be tried at the next restart."
    if "later" not in arguments:
        told += " " + asking(arguments, "reboot", {}, HOWS, "hold")
    output.json({**last, "said": told}) if arguments.json else output.text(told)
    return 0


def _pair(arguments: Arguments, file: Path, uploaded: bool) -> int:
    try:
        told: str = client.call(arguments.paths, "upgrade_pair", {"file": str(file)}, PAIR_WAIT)
    finally:
        if uploaded:
            file.unlink(missing_ok=True)
    output.json({"said": told}) if arguments.json else output.text(told)
    return 0


def _uploaded(arguments: Arguments) -> Path:
    """Standard input, streamed to flash."""
    folder = arguments.paths.upgrade
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = folder / f"upload-{os.getpid()}.swu"
    size = 0
    try:
        with file.open("wb") as out:
            while octets := sys.stdin.buffer.read(CHUNK):
                size += len(octets)
                if size > UPLOAD_MAX:
                    raise Refusal(f"firmware: larger than {UPLOAD_MAX >> 20} MiB; expected a firmware image")
                out.write(octets)
    except BaseException:
        file.unlink(missing_ok=True)
        raise
    return file


def status_text(found: dict[str, Any]) -> str:
    """The two slots, a line each, and what is under way."""
    idle = found["idle"]
    on_trial = f"on trial, {found['tries']} more starts" if found["state"] == "trial" else "confirmed"
    content = {"good": "whole", "writing": "not whole"}.get(idle["state"], "not known")
    after = ", starts next" if found["state"] == "activated" else ""
    lines = [
        f"slot {found['slot']}  runs  {found['version']}  {on_trial}",
        f"slot {idle['slot']}  idle  {idle['version'] or '-'}  {content}{after}",
    ]
    if found.get("ailing"):
        lines.append(f"not healthy yet: {found['ailing']}")
    if found.get("rolling"):
        did = [f"done: {one}" for one in found["rolling"]["did"]]
        lines += ["upgrade of the pair:", *did, f"now: {found['rolling']['step']}"]
    if found.get("progress"):
        lines.append(f"{found['progress'].get('step')}: {found['progress'].get('percent')} %")
    return "\n".join(lines)
