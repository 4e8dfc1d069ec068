# SPDX-License-Identifier: Apache-2.0
"""sms: one event to one number by the HTTP(S) request of a gateway (R35). For the delivery process.

Templates are filled by the rules of where they stand: percent-encoding in URLs and forms, JSON's escapes in
JSON, one line anywhere. A password is never put into a URL.
"""

from __future__ import annotations

import base64
import http.client
import json
import re
import ssl
from typing import Any
from urllib.parse import quote, quote_plus, urlsplit

from . import secured, words
from .mail import Told, reason
from .queue import Outcome

TIMEOUT = 15.0  # seconds
ANSWER_MAX = 64 << 10  # octets of the answer that are looked at
_PLACE = re.compile(r"\{([a-z]+)\}")


def filled(template: str, values: dict[str, str], content_type: str = "") -> str:
    """`{name}` replaced, written as the content type wants it; `url` for a URL."""

    def put(found: re.Match[str]) -> str:
        value = values.get(found[1])
        if value is None:
            return found[0]
        if content_type == "url":
            return quote(value, safe="")
        if "json" in content_type:
            return json.dumps(value)[1:-1]
        if "form" in content_type:
            return quote_plus(value)
        return value

    return _PLACE.sub(put, template)


def request(way: dict[str, Any], event: dict[str, Any]) -> tuple[str, dict[str, str], bytes | None]:
    """URL, headers and body."""
    user = words.line(way["user"])
    public = {
        "number": way["to"], "digits": way["to"].lstrip("+"), "text": words.short(event),
        "sender": words.line(way["sender"] or ""), "user": user,
    }  # fmt: skip
    secret = {"user": user, "password": words.line(way["password"] or "")}
    url = filled(way["url"], public, "url")
    headers = {"User-Agent": "qx", "Accept": "*/*"}
    body = None
    if way["method"] == "post":
        body = filled(way["body"], {**public, **secret}, way["content_type"]).encode()
        headers["Content-Type"] = way["content_type"]
    template = way["headers"] or ""
    for one in filter(None, template.split("|")):
        name, _, value = one.partition(": ")
        headers[name] = filled(value, secret)
    used = "{user}" in template + way["body"] or "{password}" in template + way["body"]
    if way["user"] and not used:
        pair = f"{way['user']}:{way['password'] or ''}".encode()
        headers["Authorization"] = "Basic " + base64.b64encode(pair).decode()
    return url, headers, body


def deliver(way: dict[str, Any], event: dict[str, Any], _model: str) -> Told:
    """Way: the settings of `sms`, and `to`."""
    url, headers, body = request(way, event)
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        if parts.scheme == "https":
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                host, parts.port, timeout=TIMEOUT, context=secured.context(way["fingerprint"])
            )
        else:
            connection = http.client.HTTPConnection(host, parts.port, timeout=TIMEOUT)
        try:
            connection.connect()
            if parts.scheme == "https":
                secured.check(connection.sock, way["fingerprint"])
            path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request(way["method"].upper(), path, body, headers)
            answer = connection.getresponse()
            said = answer.read(ANSWER_MAX).decode(errors="replace")
        finally:
            connection.close()
    except ssl.SSLError as error:
        return Outcome.LATER, f"SMS gateway: {secured.why(error)}"
    except http.client.HTTPException as error:
        return Outcome.LATER, f"SMS gateway {host}: no HTTP answer ({type(error).__name__})"
    except OSError as error:
        return Outcome.LATER, f"SMS gateway {host}: {reason(error)}"
    return judged(answer.status, said, way["success"])


def judged(status: int, said: str, success: str) -> Told:
    """By the rule of success. A request that the gateway understood and does not take is refused; anything
    about it, its load or who may use it is for later."""
    shown = words.line(" ".join(said.split()), 120)
    if not 200 <= status < 300:
        outcome = Outcome.REFUSED if status in (400, 404, 409, 413, 422) else Outcome.LATER
        return outcome, f"SMS gateway answered {status}: {shown}".rstrip(": ")
    if "".join(success.split()) not in "".join(said.split()):
        return Outcome.REFUSED, f"SMS gateway's answer has no {words.line(success, 60)}: {shown}"
    return Outcome.DONE, ""
