# SPDX-License-Identifier: Apache-2.0
"""access: login, logout and a user's own password (R25). Who may log in is the daemon's to say."""

from __future__ import annotations

from microdot import Response

from ...errors import Refusal
from .. import menu
from ..asking import Busy
from ..site import Denied, Site, Visit

LOGIN_WAIT = 60.0  # seconds: some may wait before this one


def register(site: Site) -> None:
    waiting = 0

    @site.page("/login", ("GET",), who="anyone")
    async def form(visit: Visit) -> Response:
        if visit.known:
            return visit.go("/")
        return visit.render("login.html", error="", user="", to=_page(site, visit.argument("to")))

    @site.page("/login", ("POST",), who="anyone")
    async def login(visit: Visit) -> Response:
        nonlocal waiting
        user, to = visit.field("user"), _page(site, visit.field("to"))
        if waiting >= 8:  # threads that ask for others must be left
            raise Busy("login: busy; try again in a moment")
        waiting += 1
        try:
            found = await visit.unit.ask(
                "login", {"user": user, "password": visit.field("password"), "from": visit.address},
                LOGIN_WAIT,
            )  # fmt: skip
        except Refusal as error:
            reason = getattr(error, "reason", "")
            code = {"busy": 429, "locked": 429, "wrong": 403}.get(reason, 400)
            if not reason and error.__class__ is not Refusal:
                raise
            return visit.render("login.html", code, error=str(error), user=user[:32], to=to)
        finally:
            waiting -= 1
        site.sessions.close(visit.request.cookies.get(site.cookie(visit.request.scheme)))
        token, _ = site.sessions.open(user, found["role"], bool(found["must_change"]), site.clock())
        return site.set_cookie(visit, visit.go("/password" if found["must_change"] else to), token)

    @site.page("/logout", ("POST",), who="own")
    async def logout(visit: Visit) -> Response:
        site.sessions.close(visit.request.cookies.get(site.cookie(visit.request.scheme)))
        return site.set_cookie(visit, visit.go("/login"), "")

    @site.page("/password", who="own")
    async def own(visit: Visit) -> Response:
        return visit.render("password.html", error="")

    @site.page("/password", ("POST",), who="own")
    async def change(visit: Visit) -> Response:
        if visit.field("new") != visit.field("again"):
            text = visit.site.words("The new password was typed differently the second time.")
            return visit.render("password.html", 409, error=text)
        arguments = {"user": visit.who, "old": visit.field("old"), "new": visit.field("new"),
                     "from": visit.address}  # fmt: skip
        try:
            await visit.unit.ask("password", arguments, LOGIN_WAIT)
        except Refusal as error:
            if isinstance(error, Denied):
                raise
            return visit.render("password.html", 409, error=str(error))
        visit.session.must_change = False
        here = visit.session
        site.sessions.close_where(lambda one: one.user == here.user and one is not here)
        return visit.go("/", "success", "Your password was changed.")


def _page(site: Site, path: str) -> str:
    """Where to go after the login: a page of this unit or the first one, never elsewhere."""
    found = menu.at(site.pages, path)
    return found.path if found else "/"
