# SPDX-License-Identifier: Apache-2.0
"""face_targets: HTTP requests to the pages and what is typed at the serial console, of a unit that answers.

Behind both is the real control socket with a real store (unit/control_bench.py). `{token}` and `{csrf}` in a
request become those of an administrator's session, so that octets come to the pages, and not to the login
alone.
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path

from qx.console.editor import LENGTH_MAX, Editor, Key
from qx.console.line import HungUp, Line
from qx.console.news import News
from qx.console.screen import Screen
from qx.console.session import run as run_session
from qx.control import protocol
from qx.identity import read_identity
from qx.web.asking import Unit
from qx.web.connections import LINE_MAX, Stream
from qx.web.locale import load
from qx.web.pages import register
from qx.web.site import Site
from unit.control_bench import Bench, new_root

from .words import Target

PASSWORD = "correct horse"
PATIENCE = 20.0  # seconds for an answer: a login takes its time
STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2}) [A-Za-z -]+\r\n")
HEADER_LINES = re.compile(rb"(?:[A-Za-z-]+: [^\r\n]*\r\n)*")
SEQUENCES = re.compile(rb"\x1b\[[0-9;]*[A-Za-z]")


class _Faces:
    """A unit that answers, its pages, and the news that its console tells."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="qx-fuzz-")
        self._bench = Bench(new_root(Path(self._folder.name) / "a"))
        self._bench.__enter__()
        self._bench.ask("password_set", user="admin", new=PASSWORD, change=False)
        self.paths = self._bench.unit.paths
        self.news = News(self.paths)
        self.site = Site(Unit(self.paths), read_identity(self.paths))
        self.site.loaded = load
        register(self.site)
        self.loop = asyncio.new_event_loop()

    def close(self) -> None:
        self.loop.close()
        self._bench.__exit__()
        self._folder.cleanup()

    async def answered(self, octets: bytes) -> bytes:
        """What the pages send back; the browser has said all and waits."""
        browser, here = socket.socketpair()
        browser.setblocking(False)
        told = asyncio.create_task(_all_of(browser))
        await asyncio.get_running_loop().sock_sendall(browser, octets)
        browser.shutdown(socket.SHUT_WR)
        reader, writer = await asyncio.open_connection(sock=here, limit=LINE_MAX)
        stream = Stream(reader, writer, "http")
        try:
            await self.site.answer(stream)
        except (OSError, asyncio.IncompleteReadError):
            pass  # as Connections: the other end went away
        finally:
            stream.abort()
        return await told


async def _all_of(browser: socket.socket) -> bytes:
    octets = bytearray()
    with browser, suppress(ConnectionResetError):  # not all of the request was read
        while part := await asyncio.get_running_loop().sock_recv(browser, 1 << 16):
            octets += part
    return bytes(octets)


@cache
def _faces() -> _Faces:
    return _Faces()


def close() -> None:
    """Ends the unit, where one was needed."""
    if _faces.cache_info().currsize:
        _faces().close()
        _faces.cache_clear()


def http(octets: bytes) -> None:
    """An answer that is one, or none at all; never an internal error (500)."""
    faces = _faces()
    token, session = faces.site.sessions.open("admin", "administrator", False, faces.site.clock())
    asked = octets.replace(b"{token}", token.encode()).replace(b"{csrf}", session.csrf.encode())
    answer = faces.loop.run_until_complete(asyncio.wait_for(faces.answered(asked), PATIENCE))
    if not answer:
        return
    status = STATUS_LINE.match(answer)
    assert status, answer[:200]
    assert status[1] != b"500", asked[:2000]
    head = answer[status.end() :].partition(b"\r\n\r\n")[0] + b"\r\n"
    assert HEADER_LINES.fullmatch(head), head


class _Typed(Line):
    """A line of which everything that will be typed is there already, and then nobody is at the other end."""

    def __init__(self, octets: bytes) -> None:
        self.input, typing = os.pipe()
        os.write(typing, octets[: 1 << 15])  # a pipe holds twice as much
        os.close(typing)
        self.output = os.memfd_create("console")

    def said(self) -> bytes:
        os.lseek(self.output, 0, os.SEEK_SET)
        octets = bytearray()
        while part := os.read(self.output, 1 << 16):
            octets += part
        for handle in (self.input, self.output):
            os.close(handle)
        return bytes(octets)


def console(octets: bytes) -> None:
    """Whatever is typed leads back to a prompt, until the line hangs up; a terminal obeys no part of it."""
    faces = _faces()
    line = _Typed(octets)
    try:
        run_session(faces.paths, Screen(line, faces.news, "vt100"))
    except HungUp:
        pass
    finally:
        said = line.said()
    rest = SEQUENCES.sub(b"", said)
    assert not rest.translate(None, b"\a\b\r\n" + bytes(range(0x20, 0x7F))), rest[-200:]


def typing(octets: bytes) -> None:
    """One line's editor: finished lines and echo of printable characters, whatever the pieces."""
    editor = Editor()
    half = octets[0] % (len(octets) + 1) if octets else 0
    lines = 0
    for piece in (octets[:half], octets[half:]):
        editor.feed(piece)
        while editor.finished:
            found = editor.finished.popleft()
            assert isinstance(found, Key) or (len(found) <= LENGTH_MAX and (found.isprintable() or not found))
            lines += 1
            editor.go_on()
        assert all(c in "\a\b" or c.isprintable() for c in editor.echo())
    assert lines <= len(octets) and len(editor.text) <= LENGTH_MAX


def control(octets: bytes) -> None:
    """A frame on the control socket."""
    length = protocol.body_length(octets[: protocol.HEADER], protocol.REQUEST_MAX)
    operation, arguments = protocol.request(octets[protocol.HEADER : protocol.HEADER + length])
    assert isinstance(operation, str) and isinstance(arguments, dict)


TARGETS: dict[str, Target] = {"http": http, "console": console, "typing": typing, "control": control}
