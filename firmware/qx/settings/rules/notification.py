# SPDX-License-Identifier: Apache-2.0
"""notification: the rules of the SMS gateway's request and of the SNMP agent (R35, Bad input). Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from .. import sms
from ..field import FieldError
from ..view import Settings

GROUPS = ("sms", "snmp")

PLACES = {
    # Never the password: URLs stand in the logs of others.
    "sms.url": ("number", "digits", "text", "sender", "user"),
    "sms.headers": ("user", "password"),
    "sms.body": ("number", "digits", "text", "sender", "user", "password"),
}
PLACE = re.compile(r"\{([A-Za-z_]*)\}")
# What the request says of itself; a second one would make it another request.
OWN_HEADERS = ("connection", "content-length", "content-type", "host", "transfer-encoding")


def _placeholders(settings: Settings) -> Iterator[FieldError]:
    for path, known in PLACES.items():
        for name in PLACE.findall(settings.text(path)):
            if name not in known:
                listed = ", ".join(f"{{{one}}}" for one in known)
                yield FieldError(path, f"{{{name}}}: expected one of {listed}")


def _says_something(settings: Settings) -> Iterator[FieldError]:
    found = sms.request(settings)
    if found.url and "{text}" not in found.url + (found.body if found.method == "post" else ""):
        yield FieldError("sms.url", "expected {text} in it, or in sms.body of a post")


def _json(settings: Settings) -> Iterator[FieldError]:
    found = sms.request(settings)
    body = settings.text("sms.body")
    if not body or found.method != "post" or "json" not in found.content_type:
        return
    try:
        json.loads(PLACE.sub("0", body))  # good within a text and as a number
    except ValueError as error:
        yield FieldError("sms.body", f"{error}; expected JSON, because its content type is "
                         f"{found.content_type}")  # fmt: skip


def _headers(settings: Settings) -> Iterator[FieldError]:
    for one in settings.text("sms.headers").split("|"):
        name = one.partition(":")[0]
        if name.lower() in OWN_HEADERS:
            yield FieldError("sms.headers", f"{name}: expected others, because the request has this one")


def _gateway(settings: Settings) -> Iterator[FieldError]:
    """The password as well, but a backup without secrets must be taken."""
    known = sms.gateway(settings)
    if known is None:
        return
    for path, what in (("sms.user", f"the {known.user}"), ("sms.sender", "a sender")):
        if not settings.text(path):
            yield FieldError(path, f"not set; expected {what}, because sms.gateway is "
                             f"{settings.text('sms.gateway')}")  # fmt: skip


def _port(settings: Settings) -> Iterator[FieldError]:
    found = re.match(r"https?://[^/]*:([0-9]+)", settings.text("sms.url"))
    if found and not 0 < int(found[1]) < 65536:
        yield FieldError("sms.url", f"port {found[1]}; expected one from 1 to 65535")


def _agent(settings: Settings) -> Iterator[FieldError]:
    if not settings.flag("snmp.agent"):
        return
    if not settings.text("snmp.community") and not settings.text("snmp.user"):
        yield FieldError("snmp.agent", "nobody could ask it; expected snmp.community or snmp.user to be set")
    for field in ("auth_password", "privacy_password"):
        if settings.text("snmp.user") and not settings.text(f"snmp.{field}"):
            yield FieldError(f"snmp.{field}", "not set; expected a password, because snmp.user is set")


RULES = (_placeholders, _says_something, _json, _headers, _gateway, _port, _agent)
