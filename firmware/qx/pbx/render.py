# SPDX-License-Identifier: Apache-2.0
"""render: writes what Kamailio reads, in a process of its own, so that the daemon's memory stays small.

Files are replaced whole, and only where they differ: what changed is what has to be taken into use.
"""

from __future__ import annotations

from typing import Any

from ..control import client
from ..durable import replace_in_memory
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
    return [name for name, text in texts.items() if replace_in_memory(folder / name, text.encode())]
