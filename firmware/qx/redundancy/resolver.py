# SPDX-License-Identifier: Apache-2.0
"""resolver: etc/resolv.conf under the root. DNS moves with the service addresses; a Backup has none."""

from __future__ import annotations

from collections.abc import Iterable

from ..paths import Paths


def write_resolver(paths: Paths, servers: Iterable[str]) -> None:
    """Replaces the file by one that names these servers. Raises OSError."""
    lines = ["# Made from the setting network.dns; on a Backup there is none.\n"]
    lines += [f"nameserver {server}\n" for server in servers]
    file = paths.resolv_conf
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_name("resolv.conf.new")
    fresh.write_text("".join(lines))
    fresh.replace(file)
