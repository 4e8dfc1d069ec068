# SPDX-License-Identifier: Apache-2.0
"""site: what every page goes through: who asks, may he, what does he see, and what when it goes wrong.

A page is an async function of a Visit, registered with `@site.page(…)`. It comes to be called only for a
session whose role suffices and, where it changes something, for a form of that session from a page of this
unit. What it raises as a Refusal becomes a clear page.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from microdot import Microdot, Request, Response

from ..errors import NoDaemon, Refusal
from ..identity import Identity
from ..words import ENGLISH, Words
from . import menu, texts
from .asking import Busy, Unit
from .connections import Stream
from .origin import foreign
from .render import Renderer
from .sessions import Session, Sessions
from .stamp import stamp

HEAD_TIME = 10.0  # seconds for a request and a body that is no upload
FORM_MAX = 64 << 10  # octets
UPLOAD_MAX = 512 << 20
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Connection": "close",
}

Handler = Callable[["Visit"], Awaitable[Any]]


class Denied(Refusal):
    """Not for this user, or not from a page of this unit: HTTP 403."""


class Missing(Refusal):
    """There is no such page or row: HTTP 404."""


class Visit:
    """One request of somebody."""

    def __init__(self, site: Site, request: Request, session: Session | None, stream: Stream | None) -> None:
        self.site, self.request = site, request
        self._session = session
        self.stream = stream
        self.status: dict[str, Any] = {}

    @property
    def session(self) -> Session:
        assert self._session
        return self._session

    @property
    def known(self) -> bool:
        """Is somebody logged in?"""
        return self._session is not None

    @property
    def unit(self) -> Unit:
        return self.site.unit

    @property
    def form(self) -> Any:
        """A microdot.MultiDict of what was filled in."""
        try:
            return self.request.form or {}
        except ValueError:
            raise Refusal("the form: not readable; expected percent-encoded UTF-8") from None

    def field(self, name: str) -> str:
        return str(self.form.get(name) or "")

    def argument(self, name: str) -> str:
        return str(self.request.args.get(name) or "")

    @property
    def address(self) -> str:
        return self.stream.address if self.stream else ""

    @property
    def administrator(self) -> bool:
        return self._session is not None and self._session.administrator

    @property
    def who(self) -> str:
        """For the change history."""
        return self.session.user

    # --- answers --------------------------------------------------------------------------------------------
    def render(self, template: str, code: int = 200, **context: Any) -> Response:
        return self.site.rendered(self, template, code, context)

    def go(self, path: str, kind: str = "", text: str = "") -> Response:
        """On to another page, which says the text."""
        if kind and self._session:
            self._session.say(kind, text)
        return Response(b"", 303, {"Location": path})


class Site:
    """The pages of the unit of this identity."""

    def __init__(self, unit: Unit, identity: Identity, clock: Callable[[], float] = time.monotonic) -> None:
        self.unit, self.identity, self.clock = unit, identity, clock
        self.sessions = Sessions()
        self.pages = menu.pages(identity.model)
        self.words: Words = ENGLISH
        self.zone = "UTC"
        self.redirect = False  # HTTP to HTTPS
        self.loaded: Callable[[Site], Awaitable[None]] | None = None  # reads the three above
        self._revision: object = None
        self._renderer = Renderer()
        self._app = Microdot()
        Request.max_body_length = FORM_MAX
        Request.max_content_length = UPLOAD_MAX
        for code in (400, 404, 405, 413, 500):
            self._app.errorhandler(code)(self._plain_error(code))

    # --- registering ----------------------------------------------------------------------------------------
    def page(
        self, path: str, methods: tuple[str, ...] = ("GET",), *, who: str = "operator", upload: bool = False,
        back: str = "",
    ) -> Callable[[Handler], Handler]:  # fmt: skip
        """`who`: anyone (no session is asked for), operator (reads), administrator. A POST needs an
        administrator unless `who` says anyone or own. `upload`: the handler checks the form's token itself,
        when it comes in the stream. `back`: where a refused POST leads; empty: to the same path."""

        def register(handler: Handler) -> Handler:
            async def handle(request: Request, **_: str) -> Response:
                return await self._handled(request, handler, who, upload, back)

            self._app.route(path, methods=list(methods))(handle)
            return handler

        return register

    # --- a request ------------------------------------------------------------------------------------------
    async def answer(self, stream: Stream) -> None:
        """Reads a request, answers it and closes."""
        request = await self._read(stream)
        stream.asked = True
        response = await self._app.dispatch_request(request)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        if response.reason is None:
            response.reason = HTTPStatus(response.status_code).phrase
        await response.write(stream)
        await stream.aclose()

    async def _read(self, stream: Any) -> Any:
        """A Request; None for what is none. To microdot a Stream is reader and writer (which its types do not
        say)."""
        try:
            async with asyncio.timeout(HEAD_TIME):
                request = await Request.create(
                    self._app, stream, stream, (stream.address, 0), scheme=stream.scheme
                )
        except (ValueError, IndexError):
            return None
        except TimeoutError:
            raise ConnectionError("no whole request in time") from None
        if request is None:
            raise ConnectionError("closed without a request")
        return request

    async def _handled(
        self, request: Request, handler: Handler, who: str, upload: bool, back: str
    ) -> Response:
        stream: Any = request.sock[0]
        token = request.cookies.get(self.cookie(request.scheme))
        live = request.path == "/live" or "X-Live" in request.headers  # nobody did anything
        session = self.sessions.find(token, self.clock(), use=not live)
        visit = Visit(self, request, session, stream)
        try:
            if self.redirect and request.scheme == "http" and not stream.through:
                return self._to_https(request)
            if who != "anyone":
                answer = self._turned_away(visit, who, upload)
                if answer is not None:
                    return answer
            elif request.method == "POST" and foreign(request.headers, request.scheme):
                raise Denied(texts.FOREIGN)
            if who != "anyone" and request.path != "/live":
                await self._look(visit)
            return await handler(visit)
        except NoDaemon:
            return self._error(visit, 503, texts.STARTING, {"Retry-After": "2", "Refresh": "3"})
        except Denied as error:
            return self._error(visit, 403, str(error))
        except Missing as error:
            return self._error(visit, 404, str(error))
        except Busy as error:
            return self._error(visit, 429, str(error), {"Retry-After": "2"})
        except Refusal as error:
            if request.method == "POST" and session is not None:
                return visit.go(back or request.path, "critical", str(error))
            return self._error(visit, 409, str(error))

    def _turned_away(self, visit: Visit, who: str, upload: bool) -> Response | None:
        """What whoever may not gets instead; None for who may."""
        request = visit.request
        changes = request.method != "GET"
        if not visit.known:
            if request.path == "/live":
                return Response(b"", 204)  # the browser asks no more
            if changes:
                raise Denied(texts.NO_SESSION)
            return visit.go(f"/login?to={request.path}" if request.path != "/" else "/login")
        if changes:
            if foreign(request.headers, request.scheme):
                raise Denied(texts.FOREIGN)
            if not upload and not visit.session.genuine(visit.field("csrf")):
                raise Denied(texts.FOREIGN)
        if visit.session.must_change and request.path not in ("/password", "/logout"):
            return visit.go("/password")
        if (who == "administrator" or (changes and who != "own")) and not visit.session.administrator:
            raise Denied(texts.NOT_AUTHORIZED)
        return None

    async def _look(self, visit: Visit) -> None:
        """Status, with every page; language and time zone when a setting was changed, or the pack."""
        visit.status = await self.unit.ask("status")
        sync = visit.status.get("sync") or {}
        revision = (sync.get("history"), sync.get("revision"), stamp(self.unit.paths.language_pack))
        if revision != self._revision and self.loaded:
            await self.loaded(self)
            self._revision = revision

    def _to_https(self, request: Request) -> Response:
        host = (request.headers.get("Host") or "").rpartition("@")[2].partition(":")[0]
        if not host or not all(c.isalnum() or c in ".-" for c in host):
            raise Refusal("Host: expected a name or an address")
        return Response(b"", 308, {"Location": f"https://{host}{request.url}"})

    # --- cookies --------------------------------------------------------------------------------------------
    def cookie(self, scheme: str) -> str:
        """Cookies ignore ports: the serial number keeps those of two units apart behind one address."""
        return f"qx-{self.identity.serial}{'-s' if scheme == 'https' else ''}"

    def set_cookie(self, visit: Visit, response: Response, token: str) -> Response:
        """Empty `token`: takes it away."""
        scheme = visit.request.scheme
        flags = "; Secure" if scheme == "https" else ""
        flags += "" if token else "; Max-Age=0"
        text = f"{self.cookie(scheme)}={token}; Path=/; HttpOnly; SameSite=Strict{flags}"
        response.headers["Set-Cookie"] = [text]
        return response

    # --- what is seen ---------------------------------------------------------------------------------------
    def rendered(self, visit: Visit, template: str, code: int, context: dict[str, Any]) -> Response:
        text = self._renderer.page(self, visit, template, context)
        headers = {"Content-Type": "text/html; charset=UTF-8", "Cache-Control": "no-store"}
        return Response(text, code, headers)

    def _error(self, visit: Visit, code: int, text: str, headers: dict[str, str] | None = None) -> Response:
        response = self.rendered(visit, "error.html", code, {"text": text, "code": code})
        for name, value in (headers or {}).items():
            response.headers[name] = value
        return response

    def _plain_error(self, code: int) -> Callable[[Any], Response]:
        """Where there is no visit: nothing was asked that is a page."""

        def answer(_request: Any) -> Response:
            text = f"{code} {HTTPStatus(code).phrase}: {self.words(texts.HTTP[code])}\n"
            return Response(text, code, {"Content-Type": "text/plain; charset=UTF-8"})

        return answer
