# SPDX-License-Identifier: Apache-2.0
"""pages: the pages, by subject. Each module has `register(site)` and no logic beyond asking and showing."""

from __future__ import annotations

from ..site import Site
from . import access, live, overview, redundancy, settings, static

MODULES = (static, live, access, overview, redundancy, settings)


def register(site: Site) -> None:
    for module in MODULES:
        module.register(site)
