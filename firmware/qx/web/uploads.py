# SPDX-License-Identifier: Apache-2.0
"""uploads: a file that a form sends, streamed to this unit's flash, bounded, and gone afterwards.

What the browser calls the file is never looked at. The form's other fields, its token first, come before the
file. Writing is done in a thread, so a slow flash holds up nothing but the upload.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from microdot import Request
from microdot.microdot import HTTPException
from microdot.multipart import FileUpload, FormDataIter

from ..errors import Refusal
from . import texts
from .site import Denied, Visit

PIECE = 64 << 10  # octets
FIELD_MAX = 4096
FIELDS_MAX = 16
LONGEST = 3600.0  # seconds for a file
AT_ONCE = 2
FREE_MIN = 8 << 20  # octets that are left free on the partition


class TooLarge(Refusal):
    """HTTP 413."""


class _Body:
    """The body of a request, which ends where its length says, or with an error."""

    def __init__(self, request: Request) -> None:
        self._stream: Any = request.stream
        self._left = request.content_length

    async def read(self, count: int) -> bytes:
        if count <= 0:  # the parser's buffer is full
            return b""
        if self._left <= 0:
            raise Refusal("the form: it ends too early; expected multipart/form-data")
        octets = await self._stream.read(min(count, self._left))
        if not octets:
            raise ConnectionError("the browser has gone")
        self._left -= len(octets)
        return octets


@dataclass(slots=True)
class _Form:
    """What microdot's parser reads of a request."""

    content_type: str | None
    stream: _Body


class _Parts(FormDataIter):
    buffer_size = PIECE


@dataclass(slots=True)
class Upload:
    """The file, until the request is answered, and the fields that came before it."""

    path: Path
    size: int = 0
    fields: dict[str, str] = field(default_factory=dict)


_under_way = 0


@asynccontextmanager
async def uploaded(visit: Visit, most: int) -> AsyncGenerator[Upload]:
    """The one file of the form, of at most `most` octets. Raises TooLarge, Denied without the session's token
    before it, Refusal for what is no such form."""
    global _under_way  # noqa: PLW0603 - one process, one loop
    request = visit.request
    if request.content_length > most + PIECE:
        raise TooLarge(f"file: {request.content_length} octets; expected at most {most}")
    if _under_way >= AT_ONCE:
        raise Refusal("file: other uploads are under way; try again when they are done")
    _under_way += 1
    found = Upload(visit.unit.paths.uploads / secrets.token_hex(8))
    try:
        async with asyncio.timeout(LONGEST):
            await _read(visit, found, most)
        yield found
    except TimeoutError:
        raise Refusal(f"file: not there within {LONGEST:g} s") from None
    except (HTTPException, ValueError):
        raise Refusal("the form: not readable; expected multipart/form-data") from None
    finally:
        _under_way -= 1
        with suppress(FileNotFoundError):
            await asyncio.to_thread(found.path.unlink)


async def _read(visit: Visit, found: Upload, most: int) -> None:
    genuine = False
    request: Any = _Form(visit.request.content_type, _Body(visit.request))
    parts: Any = _Parts(request)
    async for name, value in parts:
        if isinstance(value, FileUpload):
            if not genuine:
                raise Denied(texts.FOREIGN)
            await _keep(value, found, most)
            return
        if len(value) > FIELD_MAX or len(found.fields) >= FIELDS_MAX:
            raise Refusal(f"{name[:40]}: too long")
        if name == "csrf":
            genuine = visit.session.genuine(value)
        found.fields[name] = value
    raise Refusal("file: expected one to be chosen")


async def _keep(file: FileUpload, found: Upload, most: int) -> None:
    found.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(found.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        while octets := await file.read(PIECE):
            found.size += len(octets)
            if found.size > most:
                raise TooLarge(f"file: more than {most} octets")
            space = os.fstatvfs(handle)
            if space.f_bavail * space.f_frsize < FREE_MIN + len(octets):
                raise Refusal("file: no space is left on this device for it")
            await asyncio.to_thread(os.write, handle, octets)
    finally:
        os.close(handle)
    if not found.size:
        raise Refusal("file: it is empty; expected one to be chosen")


def sweep(folder: Path) -> None:
    """Takes away what an upload that power cut off has left."""
    for path in folder.glob("*") if folder.is_dir() else ():
        path.unlink(missing_ok=True)
