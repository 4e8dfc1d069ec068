# SPDX-License-Identifier: Apache-2.0
"""sms: the request to the SMS gateway that the settings make, a well-known one's where it is chosen (R35).

Pure. What the settings have themselves takes the place of the gateway's.
"""

from __future__ import annotations

from typing import NamedTuple

from .groups.gateways import GATEWAYS, Gateway
from .view import Settings


class Request(NamedTuple):
    """Templates; an empty URL: there is no gateway."""

    url: str
    method: str
    headers: str
    body: str
    content_type: str
    success: str


def gateway(settings: Settings) -> Gateway | None:
    """The well-known one that is chosen."""
    return GATEWAYS.get(settings.text("sms.gateway"))


def request(settings: Settings) -> Request:
    own = Request(*(settings.text(f"sms.{field}") for field in Request._fields))
    known = gateway(settings)
    if known is None:
        return own
    return Request(
        own.url or known.url, known.method, own.headers or known.headers, own.body or known.body,
        known.content_type, own.success or known.success,
    )  # fmt: skip


def lacks(settings: Settings) -> tuple[str, ...]:
    """The settings without which there is nobody to send to; empty: all is there."""
    there = {"sms.url": request(settings).url, "sms.recipients": settings.text("sms.recipients")}
    return tuple(path for path, text in there.items() if not text)
