# SPDX-License-Identifier: Apache-2.0
"""screen: what a page of the console has of the terminal: it prints, asks for a line, waits for an answer of
the daemon, and prints what happens meanwhile above the line that is being typed (R30).

A dumb terminal gets lines one after another. Of a VT100 it uses two things: erasing the rest of a line, and
the cursor's place for the live status. One thread; the news and a running operation wake it.
"""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from ..errors import Refusal
from ..words import ENGLISH, Words
from .editor import Editor, Key
from .line import Line
from .news import News
from .words import plain, wrapped

T = TypeVar("T")

DUMB = ("", "dumb", "unknown")
TICK = 0.5  # seconds after which a long operation shows a sign of life


class Interrupted(Exception):
    """Ctrl-C, or Ctrl-D on an empty line: back to where one came from."""


class Idle(Exception):
    """Nobody has typed anything for too long."""


class Screen:
    def __init__(self, line: Line, news: News, terminal: str) -> None:
        self._line, self._news = line, news
        self.vt100 = terminal not in DUMB
        self._editor = Editor()
        self.words: Words = ENGLISH
        self.patience = 600.0  # seconds without a key
        self.known = False  # somebody is logged in: events are told with their descriptions

    # --- printing -----------------------------------------------------------------------------------
    def say(self, text: str = "") -> None:
        """Lines of text in the language of the console, broken at 79 columns; nothing in them is obeyed by
        the terminal."""
        self._line.write(f"{wrapped(self.words(text))}\n")

    def table(self, text: str) -> None:
        """Lines that are laid out already."""
        self._line.write(f"{plain(text)}\n")

    def clear(self) -> None:
        self._line.write("\x1b[H\x1b[2J" if self.vt100 else "\n")

    def at(self, row: int, text: str) -> None:
        """That row of a VT100's screen, counted from 1."""
        self._line.write(f"\x1b[{row};1H{plain(text)}\x1b[K")

    def below(self, row: int) -> None:
        """The cursor to that row, nothing below it."""
        self._line.write(f"\x1b[{row};1H\x1b[J")

    # --- asking -------------------------------------------------------------------------------------
    def ask(self, prompt: str | Callable[[], str], *, secret: bool = False) -> str:
        """One line. A prompt that is a function says what is true whenever there is news. Raises Interrupted,
        Idle, HungUp."""
        editor, shown = self._editor, self._shown(prompt)
        editor.clear()
        editor.secret = secret
        self._line.write(shown)
        until = time.monotonic() + self.patience
        editor.go_on()
        while True:
            self._line.write(editor.echo())
            while editor.finished:
                found = editor.finished.popleft()
                if found is Key.AGAIN:
                    self._again(shown)
                    editor.go_on()
                    continue
                self._line.write("\n")
                if isinstance(found, Key):
                    raise Interrupted
                return found.strip() if not secret else found
            ready = self._select(until - time.monotonic())
            if self._line.input in ready:
                editor.feed(self._line.read())
                until = time.monotonic() + self.patience
            elif not ready and time.monotonic() >= until:
                raise Idle
            if self._news.descriptor in ready:
                shown = self._tell_above(shown, prompt)

    def confirmed(self, question: str) -> bool:
        yes, no = self.words("yes"), self.words("no")
        said = self.ask(f"{self.words(question)} ({yes}/{no}) ").lower()
        return said in ("y", "yes") or (said != "" and plain(yes).startswith(said))

    def pressed(self, seconds: float) -> bool:
        """Was a key pressed within that time? News are left for later. Raises HungUp."""
        if self._line.input in select.select([self._line.input], [], [], seconds)[0]:
            self._line.read()
            return True
        return False

    def forget(self) -> None:
        """What was typed ahead is nobody's: whoever logs in next has not typed it."""
        self._editor.forget()

    # --- working ------------------------------------------------------------------------------------
    def during(self, work: Callable[[], T]) -> T:
        """Does it in a thread and shows that it is being done. What is typed meanwhile waits. Raises what the
        work raises, and HungUp."""
        done: list[Any] = []
        ready, wake = os.pipe2(os.O_CLOEXEC)

        def run() -> None:
            try:
                done.append(work())
            except BaseException as error:
                done.append(error)
            os.write(wake, b".")

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        dots = False
        while not done:
            if self._news.descriptor in self._select(TICK, ready):
                events = self._news.take()
                self._line.write("\n" if dots and events else "")
                dots = dots and not events
                self._tell(events)
            elif not done and thread.is_alive():
                self._line.write(".")
                dots = True
        thread.join()
        os.close(ready)
        os.close(wake)
        if dots:
            self._line.write("\n")
        if isinstance(done[0], BaseException):
            raise done[0]
        return done[0]

    # --- within -------------------------------------------------------------------------------------
    def _select(self, seconds: float, also: int | None = None) -> list[int]:
        watched = [self._news.descriptor, self._line.input if also is None else also]
        return select.select(watched, [], [], max(seconds, 0.0))[0]

    def _shown(self, prompt: str | Callable[[], str]) -> str:
        return plain(self.words(prompt() if callable(prompt) else prompt))

    def _tell(self, events: Iterable[dict[str, Any]]) -> None:
        for event in events:
            self.say(notification(event, self.known, self.words))

    def _tell_above(self, shown: str, prompt: str | Callable[[], str]) -> str:
        """Prints the news above the prompt and what was typed behind it. The prompt as it is now."""
        events, now = self._news.take(), self._shown(prompt)
        if events or now != shown:
            self._editor.echo()  # it is printed with the prompt
            self._line.write("\r\x1b[K" if self.vt100 else "\n")
            self._tell(events)
            self._line.write(now + self._typed())
        return now

    def _again(self, prompt: str) -> None:
        self._line.write(("\r\x1b[K" if self.vt100 else "\n") + prompt + self._typed())

    def _typed(self) -> str:
        return "" if self._editor.secret else plain(self._editor.text)


def notification(event: dict[str, Any], known: bool, words: Words = ENGLISH) -> str:
    """One event in a line: * 12:30:05 critical: Backup device is DOWN: …"""
    when = time.strftime("%H:%M:%S", time.localtime(float(event.get("time") or 0)))
    said = f"* {when} {words(event.get('severity', 'info'))}: {words(event.get('name', '?'))}"
    return f"{said}: {words(event['description'])}" if known and event.get("description") else said


def refused(screen: Screen, error: Refusal) -> None:
    """What was not done, and why."""
    screen.say(f"Not done: {error}")
