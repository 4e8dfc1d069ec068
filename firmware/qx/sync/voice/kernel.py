# SPDX-License-Identifier: Apache-2.0
"""kernel: three calls of Linux that the standard library lacks, raising OSError (cext/kernel.h).

Through the extension that is there already: ctypes and libffi for this alone cost half a megabyte.
"""

# pyright: reportMissingModuleSource=false

from __future__ import annotations

import os
from typing import Any

from _qx import ffi, lib

_ffi: Any = ffi  # they have no types
_lib: Any = lib


def flush_file_system(handle: int) -> None:
    """All that was written to the file system of this open folder is durable (syncfs(2)). Waits for it."""
    _checked(_lib.syncfs(handle))


def inotify() -> int:
    """A descriptor that does not block (inotify_init1(2))."""
    return _checked(_lib.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))


def watch(handle: int, path: bytes, mask: int) -> int:
    """The number of the watch (inotify_add_watch(2))."""
    return _checked(_lib.inotify_add_watch(handle, path, mask))


def _checked(answer: int) -> int:
    if answer < 0:
        code = int(_ffi.errno)
        raise OSError(code, os.strerror(code))
    return answer
