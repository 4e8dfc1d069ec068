# SPDX-License-Identifier: Apache-2.0
"""R6: DNS moves with the service addresses."""

from __future__ import annotations

from pathlib import Path

from qx.paths import Paths
from qx.redundancy.resolver import forget_resolver, write_resolver


def servers(paths: Paths) -> list[str]:
    return [line.split()[1] for line in paths.resolv_conf.read_text().splitlines() if line[0] != "#"]


def test_the_servers_of_a_master(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    write_resolver(paths, ["198.51.100.53", "198.51.100.54"])
    assert servers(paths) == ["198.51.100.53", "198.51.100.54"]
    write_resolver(paths, [])
    assert servers(paths) == []


def test_what_a_power_cut_left_is_forgotten(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    forget_resolver(paths)
    assert not paths.resolv_conf.exists()
    write_resolver(paths, ["198.51.100.53"])
    forget_resolver(paths)
    assert servers(paths) == []


def test_a_file_that_cannot_be_replaced_is_no_reason_not_to_start(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    write_resolver(paths, ["198.51.100.53"])
    paths.resolv_conf.with_name("resolv.conf.new").mkdir()
    forget_resolver(paths)
    assert servers(paths) == ["198.51.100.53"]
