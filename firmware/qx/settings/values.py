# SPDX-License-Identifier: Apache-2.0
"""values: the types of settings: read from text, checked, printed as text and as JSON.

A value is kept in its plain form, which msgpack carries and the store holds: bool, int, str, a tuple of
texts, or None for "not set". Each type is strict in what it reads and says what it expected (R2, Bad input).
Pure: no file, no clock, no knowledge of other settings (that is `check`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface
from typing import Protocol

Plain = bool | int | str | tuple[str, ...] | None
Json = bool | int | float | str | list[str] | None

TEXT_MAX = 4096  # characters of any value as text


class BadValue(ValueError):
    """The text is no value of this type; `str(error)` says what was expected."""


class ValueType(Protocol):
    """One type. `expected` completes the sentence "expected …" and is the documentation's range."""

    @property
    def expected(self) -> str: ...

    def parse(self, text: str) -> Plain:
        """Text to plain form. Raises BadValue."""
        ...

    def text(self, value: Plain) -> str:
        """Plain form to the text that `parse` reads; empty for None."""
        ...

    def json(self, value: Plain) -> Json: ...


def shorten(text: str, length: int = 60) -> str:
    """A user's text for an error message: quoted, on one line, never long."""
    return repr(text if len(text) <= length else text[:length] + "…")


def accept(kind: ValueType, value: Plain) -> Plain:
    """Checks a value that is in plain form already (from the peer, a file, a page). Raises BadValue."""
    try:
        read = kind.parse(kind.text(value))
    except (TypeError, AttributeError, OverflowError):
        raise BadValue(kind.expected) from None
    if read != value or type(read) is not type(value):
        raise BadValue(kind.expected)
    return value


@dataclass(frozen=True, slots=True)
class Flag:
    expected: str = "true or false"

    def parse(self, text: str) -> Plain:
        if text not in ("true", "false"):
            raise BadValue(self.expected)
        return text == "true"

    def text(self, value: Plain) -> str:
        return "true" if value else "false"

    def json(self, value: Plain) -> Json:
        return bool(value)


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number of `low` to `high`."""

    low: int
    high: int
    unit: str = ""

    @property
    def expected(self) -> str:
        if self.high == self.low + 1:
            return f"{self.low} or {self.high}"
        return f"a whole number from {self.low} to {self.high}{' ' + self.unit if self.unit else ''}"

    def parse(self, text: str) -> Plain:
        if not re.fullmatch(r"[0-9]{1,9}", text, re.ASCII) or not self.low <= int(text) <= self.high:
            raise BadValue(self.expected)
        return int(text)

    def text(self, value: Plain) -> str:
        return str(value)

    def json(self, value: Plain) -> Json:
        return int(value) if isinstance(value, int) else None


@dataclass(frozen=True, slots=True)
class Seconds:
    """Decimal seconds in steps of 0.01, kept exactly, as whole centiseconds (version 3's wire unit)."""

    low: int  # centiseconds
    high: int

    @property
    def expected(self) -> str:
        low, high = centiseconds_text(self.low), centiseconds_text(self.high)
        return f"seconds from {low} to {high} in steps of 0.01"

    def parse(self, text: str) -> Plain:
        match = re.fullmatch(r"([0-9]{1,7})(?:\.([0-9]{1,2}))?", text, re.ASCII)
        if not match:
            raise BadValue(self.expected)
        value = int(match[1]) * 100 + int((match[2] or "0").ljust(2, "0"))
        if not self.low <= value <= self.high:
            raise BadValue(self.expected)
        return value

    def text(self, value: Plain) -> str:
        return centiseconds_text(value) if isinstance(value, int) else ""

    def json(self, value: Plain) -> Json:
        if not isinstance(value, int):
            return None
        return value // 100 if value % 100 == 0 else value / 100


def centiseconds_text(value: int) -> str:
    """12 → 0.12, 150 → 1.5, 100 → 1."""
    whole, rest = divmod(value, 100)
    return f"{whole}.{rest:02}".rstrip("0") if rest else str(whole)


@dataclass(frozen=True, slots=True)
class Choice:
    words: tuple[str, ...]

    @property
    def expected(self) -> str:
        *first, last = self.words
        return f"{', '.join(first)} or {last}" if first else last

    def parse(self, text: str) -> Plain:
        if text not in self.words:
            raise BadValue(self.expected)
        return text

    def text(self, value: Plain) -> str:
        return str(value)

    def json(self, value: Plain) -> Json:
        return str(value)


@dataclass(frozen=True, slots=True)
class Text:
    """Printable text of `low` to `high` characters on one line."""

    low: int
    high: int

    @property
    def expected(self) -> str:
        return f"{self.low} to {self.high} printable characters"

    def parse(self, text: str) -> Plain:
        if not self.low <= len(text) <= self.high or not text.isprintable():
            raise BadValue(self.expected)
        return text

    def text(self, value: Plain) -> str:
        return str(value or "")

    def json(self, value: Plain) -> Json:
        return self.text(value)


_ADDRESS = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}", re.ASCII)


def _address(text: str, expected: str) -> IPv4Address:
    if not _ADDRESS.fullmatch(text):
        raise BadValue(expected)
    try:
        return IPv4Address(text)
    except ValueError:
        raise BadValue(expected) from None


@dataclass(frozen=True, slots=True)
class Address:
    """ADDRESS/PREFIX, or one of `words` (how an address is obtained otherwise). Empty: not set."""

    words: tuple[str, ...] = ()
    optional: bool = True

    @property
    def expected(self) -> str:
        words = "".join(f", or {word}" for word in self.words)
        return f"ADDRESS/PREFIX with a prefix of 8 to 30, like 10.77.0.1/24{words}"

    def parse(self, text: str) -> Plain:
        if not text and self.optional:
            return None
        if text in self.words:
            return text
        address, slash, prefix = text.partition("/")
        if not slash or not re.fullmatch(r"[0-9]{1,2}", prefix, re.ASCII) or not 8 <= int(prefix) <= 30:
            raise BadValue(self.expected)
        return str(IPv4Interface((_address(address, self.expected), int(prefix))))

    def text(self, value: Plain) -> str:
        return str(value or "")

    def json(self, value: Plain) -> Json:
        return None if value is None else str(value)


@dataclass(frozen=True, slots=True)
class Host:
    """An IPv4 address without a prefix. Empty: not set."""

    expected: str = "an IPv4 address, like 10.77.0.2"

    def parse(self, text: str) -> Plain:
        return str(_address(text, self.expected)) if text else None

    def text(self, value: Plain) -> str:
        return str(value or "")

    def json(self, value: Plain) -> Json:
        return None if value is None else str(value)


_HOST_NAME = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
                        r"(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*", re.ASCII)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Servers:
    """A list of servers, comma separated: IPv4 addresses, or host names as well with `names`. Empty: none."""

    most: int
    names: bool = False

    @property
    def expected(self) -> str:
        what = "IPv4 addresses or host names" if self.names else "IPv4 addresses"
        return f"up to {self.most} {what}, separated by commas"

    def parse(self, text: str) -> Plain:
        if not text:
            return ()
        servers = tuple(self._one(item.strip()) for item in text.split(","))
        if len(servers) > self.most or len(set(servers)) != len(servers):
            raise BadValue(self.expected)
        return servers

    def _one(self, item: str) -> str:
        # A name of digits and dots alone is a mistyped address, not a name.
        if self.names and _HOST_NAME.fullmatch(item) and not re.fullmatch(r"[0-9.]+", item):
            return item.lower()
        return str(_address(item, self.expected))

    def text(self, value: Plain) -> str:
        return ",".join(value) if isinstance(value, tuple) else ""

    def json(self, value: Plain) -> Json:
        return list(value) if isinstance(value, tuple) else []
