# SPDX-License-Identifier: Apache-2.0
"""locale: language, time zone and the redirect to HTTPS, as the settings have them now."""

from __future__ import annotations

from .site import Site
from .words import ENGLISH


async def load(site: Site) -> None:
    found = await site.unit.values("time.zone", "language.pages", "web.redirect_https")
    site.zone = found.get("time.zone") or "UTC"
    site.redirect = found.get("web.redirect_https") == "true"
    site.words = ENGLISH
