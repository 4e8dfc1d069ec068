# SPDX-License-Identifier: Apache-2.0
"""A user without a browser: requests over HTTP, cookies kept, forms taken from the page and sent back.

For what a browser would not send, and where a browser would take too long. The forms are read by Python's own
parser, so a field that is not on the page cannot be filled in by mistake.
"""

from __future__ import annotations

import http.client
import socket
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urlencode, urlsplit

NEW = "a-new-password"


@dataclass
class Form:
    action: str
    method: str
    fields: list[tuple[str, str]] = field(default_factory=list)
    buttons: list[str] = field(default_factory=list)


@dataclass
class Answer:
    code: int
    headers: dict[str, str]
    octets: bytes

    @property
    def text(self) -> str:
        return self.octets.decode()

    @property
    def page(self) -> Page:
        return Page(self.text)


class Page(HTMLParser):
    """What of a page is needed: its forms, its links, its words."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.links: list[str] = []
        self.words = ""
        self._form: Form | None = None
        self._select = ""
        self._chosen: str | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        if tag == "form":
            self._form = Form(found.get("action", ""), found.get("method", "get"))
            self.forms.append(self._form)
        if self._form is None or "disabled" in found:
            return
        if tag == "input" and "name" in found:
            if found.get("type") in ("checkbox", "radio") and "checked" not in found:
                return
            self._form.fields.append(
                (
                    found["name"],
                    found.get("value", "on" if found.get("type") in ("checkbox", "radio") else ""),
                )
            )
        elif tag == "select":
            self._select, self._chosen = found.get("name", ""), None
        elif tag == "option" and (self._chosen is None or "selected" in found):
            self._chosen = found.get("value", "")
        elif tag == "button":
            self._form.buttons.append(found.get("value", ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        if tag == "select" and self._form and self._select:
            self._form.fields.append((self._select, self._chosen or ""))
            self._select = ""

    def handle_data(self, data: str) -> None:
        self.words += data

    def form(self, action: str) -> Form:
        (found,) = (form for form in self.forms if form.action == action)
        return form_of(found)

    @property
    def flat(self) -> str:
        """All words, white space as one space each."""
        return " ".join(self.words.split())


def form_of(form: Form) -> Form:
    return Form(form.action, form.method, list(form.fields), list(form.buttons))


class Visitor:
    """`host` and `port` are where the pages are; a namespace's through a connection that `connect` makes."""

    def __init__(self, host: str, port: int = 80, connect: object = None) -> None:
        self.host, self.port = host, port
        self.cookies: dict[str, str] = {}
        self._connect = connect

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> Answer:  # fmt: skip
        """One request, no redirect followed."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=30)
        if self._connect:
            assert callable(self._connect)
            connection.sock = self._connect()
            assert isinstance(connection.sock, socket.socket)
        sent = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        sent = {name: value for name, value in {**sent, **(headers or {})}.items() if value}
        try:
            connection.request(method, path, body, sent)
            response = connection.getresponse()
            answer = Answer(
                response.status, {k.lower(): v for k, v in response.getheaders()}, response.read()
            )
        finally:
            connection.close()
        if "set-cookie" in answer.headers:
            name, _, value = answer.headers["set-cookie"].partition(";")[0].partition("=")
            self.cookies[name] = value
        return answer

    def get(self, path: str) -> Answer:
        answer = self.ask("GET", path)
        for _ in range(5):
            if answer.code not in (302, 303, 308):
                return answer
            answer = self.ask("GET", path_of(answer.headers["location"]))
        raise AssertionError(f"{path}: redirected for ever")

    def paths(self) -> list[str]:
        """Of every page that the first one leads to."""
        return list(dict.fromkeys(link for link in self.get("/").page.links if link.startswith("/")))

    def post(self, path: str, fields: list[tuple[str, str]], headers: dict[str, str] | None = None) -> Answer:
        """A form, as it is; the redirect that answers it is followed."""
        answer = self.sent(path, fields, headers)
        return self.get(path_of(answer.headers["location"])) if answer.code == 303 else answer

    def sent(self, path: str, fields: list[tuple[str, str]], headers: dict[str, str] | None = None) -> Answer:
        """A form, as it is, and its own answer."""
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        return self.ask("POST", path, urlencode(fields).encode(), {**kind, **(headers or {})})

    def submit(self, path: str, action: str = "", **values: str) -> Answer:
        """Opens the page, fills these fields in (`__` for a dot; `-`: not at all) and sends it."""
        form = self.get(path).page.form(action or path)
        wanted = {name.replace("__", "."): value for name, value in values.items()}
        fields = [(name, value) for name, value in form.fields if name not in wanted]
        fields += [(name, value) for name, value in wanted.items() if value != "-"]
        return self.post(form.action, fields)

    def upload(self, path: str, action: str, octets: bytes, **values: str) -> Answer:
        """Opens the page and sends its form with this file, as a browser does (RFC 7578)."""
        fields = dict(self.get(path).page.form(action).fields) | values
        fields.pop("file", None)
        mark = "a-boundary-of-nobody"
        body = b"".join(
            f'--{mark}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
            for name, value in fields.items()
        )
        body += f'--{mark}\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n'.encode()
        body += octets + f"\r\n--{mark}--\r\n".encode()
        answer = self.ask("POST", action, body, {"Content-Type": f"multipart/form-data; boundary={mark}"})
        return self.get(path_of(answer.headers["location"])) if answer.code == 303 else answer

    def login(self, user: str, password: str) -> Answer:
        return self.submit("/login", user=user, password=password)

    def come_in(self, serial: str) -> None:
        """As the factory's administrator, who chooses a password of his own."""
        answer = self.login("admin", serial)
        if "Change Password" not in answer.text:
            answer = self.login("admin", NEW)
            assert answer.code == 200, answer.text
            return
        answer = self.submit("/password", old=serial, new=NEW, again=NEW)
        assert answer.code == 200 and "Your password was changed." in answer.text, answer.text


def path_of(location: str) -> str:
    parts = urlsplit(location)
    return parts.path + (f"?{parts.query}" if parts.query else "")
