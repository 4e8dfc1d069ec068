# SPDX-License-Identifier: Apache-2.0
"""plain: what may stand in a frame, a snapshot or an archive as path and value, whoever wrote it. Pure."""

from __future__ import annotations

import re
from typing import Any, cast

from .values import Plain

PATH_MAX = 200  # characters
VALUE_MAX = 1 << 16  # characters of a text, items of a list
_PATH = re.compile(r"[a-z_]+(?:\.[A-Za-z0-9_:+*#@-]+){1,7}", re.ASCII)


def is_path(path: object) -> bool:
    """Is it of the form of a setting's path, known here or not?"""
    return isinstance(path, str) and len(path) <= PATH_MAX and _PATH.fullmatch(path) is not None


def is_value(value: object) -> bool:
    """Is it a plain value other than "not set"?"""
    if isinstance(value, tuple):
        items = cast("tuple[object, ...]", value)
        return len(items) <= VALUE_MAX and all(_is_text(item) for item in items)
    return isinstance(value, bool) or _is_text(value) or (isinstance(value, int) and abs(value) < 1 << 63)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and len(value) <= VALUE_MAX


def pairs(value: Any) -> tuple[tuple[str, Plain], ...]:
    """Reads a list of [path, value] that is sorted by path and has each path once. Raises ValueError."""
    if not isinstance(value, tuple):
        raise ValueError("expected a list of settings")
    last = ""
    for item in cast("tuple[Any, ...]", value):
        if not isinstance(item, tuple) or len(cast("tuple[Any, ...]", item)) != 2:
            raise ValueError("expected pairs of path and value")
        path, plain = cast("tuple[Any, Any]", item)
        if not is_path(path) or not is_value(plain):
            raise ValueError(f"expected a setting's path and value, not {str(path)[:40]!r}")
        if path <= last:
            raise ValueError(f"{path}: expected paths in order, each once")
        last = path
    return cast("tuple[tuple[str, Plain], ...]", value)
