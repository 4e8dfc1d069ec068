# SPDX-License-Identifier: Apache-2.0
"""locale: language, time zone and the redirect to HTTPS, as the settings and the language pack have them."""

from __future__ import annotations

import logging

from ..errors import NoDaemon, Refusal
from ..words import ENGLISH, Words, spoken
from .site import Site

log = logging.getLogger("qx.web")


async def load(site: Site) -> None:
    found = await site.unit.values("time.zone", "web.redirect_https")
    site.zone = found.get("time.zone") or "UTC"
    site.redirect = found.get("web.redirect_https") == "true"
    site.words = await _words(site)


async def _words(site: Site) -> Words:
    """A pack that cannot be read leaves the pages English: nobody is to be kept out by a translation."""
    try:
        return spoken(await site.unit.ask("langpack_catalogue"))
    except NoDaemon:
        raise
    except (Refusal, OSError, ValueError) as error:
        log.warning("the language pack is not used: %s", error)
        return ENGLISH
