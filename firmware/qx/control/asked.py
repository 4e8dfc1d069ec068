# SPDX-License-Identifier: Apache-2.0
"""asked: reads the arguments of an operation, which come from a socket: Refusal names what is wrong. Pure."""

from __future__ import annotations

from typing import Any

from ..errors import Refusal


def texts(arguments: dict[str, Any], name: str) -> list[str]:
    value = arguments.get(name, ())
    if not isinstance(value, tuple | list) or not all(isinstance(item, str) for item in value):
        raise Refusal(f"{name}: expected a list of texts")
    return list(value)


def text(arguments: dict[str, Any], name: str) -> str:
    value = arguments.get(name, "")
    if not isinstance(value, str):
        raise Refusal(f"{name}: expected a text")
    return value


def who(arguments: dict[str, Any]) -> str:
    return text(arguments, "who")


def changes(arguments: dict[str, Any]) -> dict[str, str]:
    value = arguments.get("changes")
    if (
        not isinstance(value, dict)
        or not value
        or not all(isinstance(i, str) for pair in value.items() for i in pair)
    ):
        raise Refusal("changes: expected a map of setting paths to texts")
    return value


def count(arguments: dict[str, Any], name: str) -> int | None:
    value = arguments.get(name)
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 0):
        raise Refusal(f"{name}: expected a whole number from 0")
    return value
