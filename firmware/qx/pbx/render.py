# SPDX-License-Identifier: Apache-2.0
"""render: writes what Kamailio reads, in a process of its own, so that the daemon's memory stays small.

Files are replaced whole, and only where they differ: what changed is what has to be taken into use.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ..control import client
from ..errors import Refusal
from ..model import model_named
from ..paths import Paths
from ..settings.view import Settings
from . import kamailio


def asked(paths: Paths) -> tuple[Settings, str]:
    """The settings of this moment and what nonces are made with, of the daemon."""
    told: dict[str, Any] = client.call(paths, "pbx_settings")
    return Settings(model_named(told["model"]), told["explicit"]), told["secret"]


def render(paths: Paths) -> list[str]:
    """The names of the files that changed. Raises Refusal where the settings allow no service."""
    settings, secret = asked(paths)
    folder = paths.kamailio
    try:
        texts = {"kamailio.cfg": kamailio.configuration(settings, str(folder), secret)}
    except ValueError as error:
        raise Refusal(str(error)) from None
    texts |= {f"tables/{name}": text for name, text in kamailio.tables(settings).items()}
    (folder / "tables").mkdir(mode=0o700, parents=True, exist_ok=True)
    return [name for name, text in texts.items() if _replace(folder / name, text)]


def _replace(file: Path, text: str) -> bool:
    try:
        if file.read_text(encoding="utf-8") == text:
            return False
    except FileNotFoundError:
        pass
    fresh = file.with_name(f".{file.name}.new")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as out:
        out.write(text)
    fresh.replace(file)
    return True
