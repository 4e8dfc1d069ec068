# SPDX-License-Identifier: Apache-2.0
"""texts: the types of settings that are texts of a form, or lists of words. As `values`; pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from .values import BadValue, Json, Plain


@dataclass(frozen=True, slots=True)
class Pattern:
    """A text that matches `pattern` whole. Empty: not set."""

    pattern: str
    expected: str
    _matches: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_matches", re.compile(self.pattern, re.ASCII))

    def parse(self, text: str) -> Plain:
        if not text:
            return None
        if not self._matches.fullmatch(text):
            raise BadValue(self.expected)
        return text

    def text(self, value: Plain) -> str:
        return str(value or "")

    def json(self, value: Plain) -> Json:
        return None if value is None else str(value)


@dataclass(frozen=True, slots=True)
class Patterns:
    """Up to `most` different texts of one form, separated by commas. Empty: none."""

    one: Pattern
    most: int
    what: str

    @property
    def expected(self) -> str:
        return f"up to {self.most} {self.what}, separated by commas"

    def parse(self, text: str) -> Plain:
        if not text:
            return ()
        items = tuple(item.strip() for item in text.split(","))
        if len(items) > self.most or len(set(items)) != len(items):
            raise BadValue(self.expected)
        try:
            parsed = [self.one.parse(item) for item in items]
        except BadValue:
            raise BadValue(self.expected) from None
        if None in parsed:
            raise BadValue(self.expected)
        return items

    def text(self, value: Plain) -> str:
        return ",".join(value) if isinstance(value, tuple) else ""

    def json(self, value: Plain) -> Json:
        return list(value) if isinstance(value, tuple) else []


@dataclass(frozen=True, slots=True)
class Words:
    """Different ones of `words`, separated by commas; `ordered`: in the order given, else in that of `words`.
    A word of `implying` brings the first word with it."""

    words: tuple[str, ...]
    ordered: bool = False
    least: int = 0
    implying: tuple[str, ...] = ()

    @property
    def expected(self) -> str:
        least = f"at least {self.least} of " if self.least else "any of "
        return f"{least}{', '.join(self.words)}, separated by commas"

    def parse(self, text: str) -> Plain:
        items = tuple(item.strip() for item in text.split(",")) if text else ()
        if len(items) < self.least or len(set(items)) != len(items) or not set(items) <= set(self.words):
            raise BadValue(self.expected)
        if self.ordered:
            return items
        chosen = {*items, *(self.words[:1] if set(items) & set(self.implying) else ())}
        return tuple(word for word in self.words if word in chosen)

    def text(self, value: Plain) -> str:
        return ",".join(value) if isinstance(value, tuple) else ""

    def json(self, value: Plain) -> Json:
        return list(value) if isinstance(value, tuple) else []


_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
# A name of digits and dots alone is a mistyped address, not a name.
_NOT_DIGITS = r"(?![0-9.]+(?![A-Za-z0-9.-]))"
_NAME = rf"{_NOT_DIGITS}(?=.{{1,253}}(?![A-Za-z0-9.-])){_LABEL}(?:\.{_LABEL})*"
_HOST = rf"(?:{_OCTET}(?:\.{_OCTET}){{3}}|{_NAME})"

EXTENSION = Pattern(r"[0-9]{2,8}", "the number of an extension, 2 to 8 digits")
DIAL = Pattern(r"\+?[0-9*#]{1,32}", "a number to dial: up to 32 digits, *, # and a leading +")
DIALS = Patterns(DIAL, 16, "numbers to dial")
SERVER = Pattern(_HOST, "an IPv4 address or a host name")
MAIL_ADDRESS = Pattern(
    rf"(?=.{{3,254}}\Z)[A-Za-z0-9.!#$%&'*+/=?^_`{{|}}~-]{{1,64}}@{_LABEL}(?:\.{_LABEL})*",
    "a mail address, like pbx@example.com",
)
MAIL_ADDRESSES = Patterns(MAIL_ADDRESS, 8, "mail addresses")
URL = Pattern(
    rf"(?=.{{1,1024}}\Z)https?://{_HOST}(?::[0-9]{{1,5}})?(?:/[!-~]*)?",
    "a URL that begins with http:// or https://, up to 1024 characters",
)
SIP_PASSWORD = Pattern(r"[!-~]{4,64}", "4 to 64 characters of ASCII without spaces")
PASSPHRASE = Pattern(r"[ -~]{1,128}", "1 to 128 characters of ASCII")
SNMP_PASSWORD = Pattern(r"[ -~]{8,64}", "8 to 64 characters of ASCII")
FINGERPRINT = Pattern(
    r"(?:[0-9A-Fa-f]{2}:?){31}[0-9A-Fa-f]{2}",
    "a SHA-256 fingerprint: 64 hexadecimal digits, in pairs with colons or without",
)
HEADERS = Pattern(
    r"[A-Za-z0-9-]{1,40}: [ -{}~]{1,200}(?:\|[A-Za-z0-9-]{1,40}: [ -{}~]{1,200}){0,7}",
    "up to 8 headers like `Authorization: Bearer {password}`, separated by |",
)
SMS_SENDER = Pattern(r"\+?[0-9]{3,15}|[A-Za-z0-9 ]{1,11}", "a number, or up to 11 letters and digits")
PIN = Pattern(r"[0-9]{4,8}", "4 to 8 digits")
PASSWORD_HASH = Pattern(
    r"\$argon2id\$v=19\$m=[0-9]{1,7},t=[0-9]{1,2},p=[0-9]{1,2}\$[A-Za-z0-9+/]{11,88}\$[A-Za-z0-9+/]{16,88}",
    "an Argon2id hash ($argon2id$…), never the password itself",
)
TIME_ZONE = Pattern(
    r"(?=.{1,40}\Z)[A-Z][A-Za-z0-9_+-]*(?:/[A-Z][A-Za-z0-9_+-]*){0,2}", "a time zone, like Europe/Berlin"
)
LANGUAGE = Pattern(r"[a-z]{2}(?:-[A-Z]{2})?", "a language code, like en or pt-BR")
