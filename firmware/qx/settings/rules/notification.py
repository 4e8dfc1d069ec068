# SPDX-License-Identifier: Apache-2.0
"""notification: the rules of the SMS gateway's request and of the SNMP agent (R35, Bad input). Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..field import FieldError
from ..view import Settings

GROUPS = ("sms", "snmp")

PLACES = {
    "sms.url": ("number", "text", "sender"),  # never a secret: URLs stand in the logs of others
    "sms.headers": ("user", "password"),
    "sms.body": ("number", "text", "sender", "user", "password"),
}
PLACE = re.compile(r"\{([A-Za-z_]*)\}")


def _placeholders(settings: Settings) -> Iterator[FieldError]:
    for path, known in PLACES.items():
        for name in PLACE.findall(settings.text(path)):
            if name not in known:
                listed = ", ".join(f"{{{one}}}" for one in known)
                yield FieldError(path, f"{{{name}}}: expected one of {listed}")


def _says_something(settings: Settings) -> Iterator[FieldError]:
    if not settings.text("sms.url"):
        return
    body = settings.text("sms.body") if settings.text("sms.method") == "post" else ""
    if "{text}" not in settings.text("sms.url") + body:
        yield FieldError("sms.url", "expected {text} in it, or in sms.body of a post")


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


RULES = (_placeholders, _says_something, _port, _agent)
