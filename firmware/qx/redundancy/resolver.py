# SPDX-License-Identifier: Apache-2.0
"""resolver: etc/resolv.conf under the root. DNS moves with the service addresses; a Backup has none."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from ..paths import Paths

log = logging.getLogger(__name__)


def write_resolver(paths: Paths, servers: Iterable[str]) -> None:
    """Replaces the file by one that names these servers. Raises OSError."""
    lines = ["# Made from the setting network.dns; on a Backup there is none.\n"]
    lines += [f"nameserver {server}\n" for server in servers]
    file = paths.resolv_conf
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_name("resolv.conf.new")
    fresh.write_text("".join(lines))
    fresh.replace(file)


def forget_resolver(paths: Paths) -> None:
    """At start: a Master whose power was cut left its servers behind, and returns as Backup."""
    if paths.resolv_conf.exists():
        try:
            write_resolver(paths, ())
        except OSError as error:
            log.warning("%s: %s", error.filename, error.strerror)
