# SPDX-License-Identifier: Apache-2.0
"""render: templates to HTML, with everything that all pages have: menus, the mode line, notices, words.

Every value is escaped by Jinja2 itself; nothing here marks anything as safe.
"""

from __future__ import annotations

import pkgutil
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from jinja2 import Environment, FunctionLoader, StrictUndefined

from ..control import render as console
from . import menu

if TYPE_CHECKING:
    from microdot import Request

    from ..identity import Identity
    from ..words import Words
    from .sessions import Session


class Whole(Protocol):
    """The site, as far as every page shows of it."""

    identity: Identity
    words: Words
    zone: str
    pages: tuple[menu.Page, ...]


class Seen(Protocol):
    """The visit for which a page is made."""

    request: Request
    status: dict[str, Any]

    @property
    def known(self) -> bool: ...

    @property
    def session(self) -> Session: ...


def _template(name: str) -> str | None:
    octets = pkgutil.get_data("qx.web", f"templates/{name}")
    return octets.decode() if octets else None


class Renderer:
    def __init__(self) -> None:
        self._environment = Environment(
            loader=FunctionLoader(_template), autoescape=True, trim_blocks=True, lstrip_blocks=True,
            undefined=StrictUndefined, auto_reload=False,
        )  # fmt: skip
        self._environment.filters |= {"duration": console.duration, "size": console.size}

    def page(self, site: Whole, visit: Seen, template: str, context: dict[str, Any]) -> str:
        zone = _zone(site.zone)
        live = "X-Live" in visit.request.headers

        def clock(when: float | None) -> str:
            """A wall-clock time (seconds since 1970) in the unit's time zone."""
            return datetime.fromtimestamp(when, zone).strftime("%Y-%m-%d %H:%M:%S") if when else ""

        return self._environment.get_template(template).render(
            _=site.words,
            language=site.words.language,
            serial=site.identity.serial,
            model=site.identity.model,
            visit=visit,
            status=visit.status,
            mode_line=console.mode_line(visit.status) if visit.status else "",
            menus=list(menu.menus(site.pages)) if visit.known else [],
            here=menu.at(site.pages, visit.request.path),
            csrf=visit.session.csrf if visit.known else "",
            notices=visit.session.said() if visit.known and not live else [],
            clock=clock,
            now=time.time(),
            **context,
        )


def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None  # the image has no such zone: the unit's own clock
