# SPDX-License-Identifier: Apache-2.0
"""editor: one line typed on a terminal: octets in, echo and finished lines out. Pure.

Works for a VT100, a dumb terminal and a line at the wrong speed alike: it needs backspace and nothing else,
sequences of keys that it does not know are swallowed whole, and octets that are no text leave no trace.
"""

from __future__ import annotations

import codecs
from collections import deque
from enum import Enum, auto

LENGTH_MAX = 1024  # characters of a line
BELL = "\a"
RUBOUT = "\b \b"


class Key(Enum):
    INTERRUPT = auto()  # Ctrl-C
    END = auto()  # Ctrl-D on an empty line
    AGAIN = auto()  # Ctrl-L, Ctrl-R: what stands there is to be printed again


class _Sequence(Enum):
    """Where in an escape sequence (ECMA-48 5.4, and the SS3 of a keypad) the reader is."""

    NONE = auto()
    ESCAPE = auto()
    CONTROL = auto()
    KEYPAD = auto()


class Editor:
    """`feed` octets; take what `finished` has. `echo` is what the terminal is to show since it was asked."""

    def __init__(self) -> None:
        self.text = ""
        self.secret = False  # nothing is echoed
        self.finished: deque[str | Key] = deque()
        self._echo: list[str] = []
        self._decoder = codecs.getincrementaldecoder("utf-8")("ignore")
        self._sequence = _Sequence.NONE
        self._was_return = False
        self._waiting: deque[str] = deque()  # typed ahead: it belongs to the next line

    def feed(self, octets: bytes) -> None:
        self._waiting.extend(self._decoder.decode(octets))
        self.go_on()

    def go_on(self) -> None:
        """Reads on in what was typed ahead, up to the end of one line."""
        while self._waiting and not self.finished:
            self._one(self._waiting.popleft())

    def echo(self) -> str:
        said, self._echo = "".join(self._echo), []
        return said

    def clear(self) -> None:
        """Forgets the line that was begun."""
        self.text = ""

    def forget(self) -> None:
        """Forgets all that was typed ahead."""
        self.text = ""
        self._waiting.clear()
        self.finished.clear()

    def _one(self, character: str) -> None:
        if self._sequence != _Sequence.NONE:
            self._in_sequence(character)
            return
        after_return, self._was_return = self._was_return, character == "\r"
        match character:
            case "\n" if after_return:
                pass
            case "\r" | "\n":
                self.finished.append(self.text)
                self.text = ""
            case "\x03":
                self._end_with(Key.INTERRUPT)
            case "\x04" if not self.text:
                self._end_with(Key.END)
            case "\x0c" | "\x12":
                self.finished.append(Key.AGAIN)
            case "\x7f" | "\b":
                self._rub_out(1)
            case "\x15":
                self._rub_out(len(self.text))
            case "\x17":
                self._rub_out(len(self.text) - len(self.text.rstrip().rpartition(" ")[0]))
            case "\x1b":
                self._sequence = _Sequence.ESCAPE
            case _ if character.isprintable():
                self._add(character)
            case _:
                pass

    def _in_sequence(self, character: str) -> None:
        if character in "\r\n\x03":  # nobody's sequence has these: it was a key on its own, or noise
            self._sequence = _Sequence.NONE
            self._one(character)
        elif self._sequence == _Sequence.ESCAPE and character in "[O":
            self._sequence = _Sequence.CONTROL if character == "[" else _Sequence.KEYPAD
        elif self._sequence != _Sequence.CONTROL or "@" <= character <= "~":
            self._sequence = _Sequence.NONE

    def _end_with(self, key: Key) -> None:
        self.text = ""
        self.finished.append(key)

    def _add(self, character: str) -> None:
        if len(self.text) >= LENGTH_MAX:
            self._say(BELL)
            return
        self.text += character
        self._say(character)

    def _rub_out(self, count: int) -> None:
        count = min(count, len(self.text))
        self.text = self.text[: len(self.text) - count]
        self._say(RUBOUT * count)

    def _say(self, text: str) -> None:
        if not self.secret:
            self._echo.append(text)
