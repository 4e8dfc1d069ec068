# SPDX-License-Identifier: Apache-2.0
"""kamailio: the SIP registrar and proxy's configuration and tables, made of settings. Pure: texts.

The configuration (kamailio.cfg beside this, with @NAME@ for what varies) changes seldom and needs a restart.
Who may register and what each extension wants are tables, which Kamailio reads again without touching a call.
Who writes them and when is `render`'s and the daemon's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import md5
from importlib.resources import files
from ipaddress import IPv4Address

from .. import ports
from ..settings.view import Settings
from . import dbtext

REALM = (
    "qx"  # of digest authentication (RFC 7616); one that no address is in, so that accounts outlive addresses
)
WRONG_MAX = 10  # wrong credentials from one address within 60 s before it is banned
BAN = 300  # seconds
ASKED_EACH = 20  # challenges to one address within 10 s, for each phone of the model


@dataclass(frozen=True, slots=True)
class Service:
    """Where the service is offered: the LAN's address first, then the WAN's where there is one."""

    addresses: tuple[IPv4Address, ...]
    port: int

    @classmethod
    def of(cls, settings: Settings) -> Service:
        """From the settings; an address that is obtained otherwise (dhcp) is none that can be moved."""
        interfaces = (settings.interface(f"network.{port}.address") for port in ("lan", "wan"))
        return cls(tuple(one.ip for one in interfaces if one), settings.number("call.sip_port"))


def configuration(settings: Settings, run: str, secret: str) -> str:
    """kamailio.cfg. `run` is the folder of its sockets and tables, `secret` what nonces are made with: the
    same on both units, so that no phone is asked again after a takeover. Raises ValueError where there is no
    static service address to listen on."""
    service = Service.of(settings)
    if not service.addresses:
        raise ValueError("network.lan.address: expected a static address")
    listen = [
        f"listen={transport}:{address}:{service.port}" for address in service.addresses
        for transport in ("udp", "tcp")
    ]  # fmt: skip
    listen.append(f"listen=udp:127.0.0.1:{ports.PHONE_RUN}")
    values: dict[str, object] = {
        "LISTEN": "\n".join(listen),
        "CHILDREN": 2 if settings.model.phones <= 200 else 4,
        "MHOMED": int(len(service.addresses) > 1),
        "RUN": run,
        "REGISTER_TIME": settings.number("call.register_time"),
        "BAN": BAN,
        "WRONG_MAX": WRONG_MAX,
        "ASKED_MAX": ASKED_EACH * settings.model.phones,
        "SECRET": secret,
        "REALM": REALM,
        "LOCAL_PORT": ports.PHONE_RUN,
        "REPORTS": ports.REPORTS,
        "SERVICE": service.addresses[0],
        "PORT": service.port,
    }
    text = files("qx.pbx").joinpath("kamailio.cfg").read_text(encoding="utf-8")
    return re.sub(r"@([A-Z_]+)@", lambda name: str(values[name[1]]), text)


def accounts(settings: Settings) -> Iterable[tuple[str, str]]:
    """Extension and HA1 (RFC 7616 3.4.2) of all that may register."""
    for number in settings.rows("extensions"):
        password = settings[f"extensions.{number}.password"]
        if isinstance(password, str) and settings.flag(f"extensions.{number}.enabled"):
            yield number, md5(f"{number}:{REALM}:{password}".encode(), usedforsecurity=False).hexdigest()


def options(settings: Settings) -> Iterable[tuple[str, str]]:
    """Extension and what becomes of its calls: f, when they are forwarded; t, where to; r, the ring time."""
    for number in settings.rows("extensions"):
        under = f"extensions.{number}"
        if settings.flag(f"{under}.enabled"):
            forward, to = settings.text(f"{under}.forward"), settings.text(f"{under}.forward_to")
            ring = settings.number(f"{under}.ring_time")
            yield number, f"f={forward};t={to};r={ring}" if to else f"f=never;r={ring}"


def tables(settings: Settings) -> dict[str, str]:
    """The tables that settings make, by name, and `version`."""
    htable = dbtext.VERSIONS["htable"]
    names = (("users", htable), ("extensions", htable), ("location", dbtext.VERSIONS["location"]))
    return {
        "users": dbtext.htable(accounts(settings)),
        "extensions": dbtext.htable(options(settings)),
        "version": dbtext.version(names),
    }
