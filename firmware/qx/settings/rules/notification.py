# SPDX-License-Identifier: Apache-2.0
"""notification: the rules of the request to an SMS gateway: its templates (R35, Bad input). Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..field import FieldError
from ..view import Settings

GROUPS = ("sms",)

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


RULES = (_placeholders, _says_something)
