# SPDX-License-Identifier: Apache-2.0
"""pages: the pages, by subject. Each module has `register(site)` and no logic beyond asking and showing."""

from __future__ import annotations

from ..site import Site
from . import (
    access,
    certificate,
    events,
    features,
    firmware,
    history,
    live,
    maintenance,
    overview,
    redundancy,
    settings,
    state,
    static,
)

MODULES = (
    static, live, access, overview, redundancy, settings, state, events, features, history, maintenance,
    firmware, certificate,
)  # fmt: skip


def register(site: Site) -> None:
    for module in MODULES:
        module.register(site)
