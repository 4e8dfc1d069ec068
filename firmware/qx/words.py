# SPDX-License-Identifier: Apache-2.0
"""words: all that a person reads, in the language in use, by a gettext catalogue. English is in the code.

For the faces that are processes of their own, pages and console; the daemon speaks English alone and imports
nothing of this. What it says (events, reasons, refusals) has its values in it already, so a sentence that is
no message as it stands is read back by those that have places, `slot %(slot)s was given up`, and translated
with what stood there. What a catalogue does not have stays English. The template: `firmware/messages.py`.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Mapping
from gettext import GNUTranslations
from io import BytesIO
from typing import Any

PLACE = re.compile(r"%\(([a-z_]\w*)\)[sd]|(%%)", re.ASCII)  # names are those of groups below
LETTERS_MIN = 3  # in a row, of a sentence with places that is looked for
TEXT_MAX = 1000  # characters of what is looked at more closely
# The longest text between the places, the two ways to read a sentence (where two places stand side by side,
# the first may take more or less), and the message.
Shape = tuple[str, tuple[re.Pattern[str], re.Pattern[str]], str]
KNOWN_MAX = 4096  # texts whose translation is kept
BETWEEN = ("\n", "; ", ": ", ", ")  # what whoever put a text together stood between its parts


class _Catalogue(GNUTranslations):
    _catalog: dict[object, str]  # of Python's own class

    def ids(self) -> Iterable[str]:
        return (one for one in self._catalog if isinstance(one, str) and one)


class Words:
    """One language: `words("Save")`, or `_` in templates."""

    def __init__(self, catalogue: bytes | None = None, language: str = "en") -> None:
        """`catalogue` is a .mo file. Raises OSError or ValueError (UnicodeError too) for one that is none."""
        try:
            self._catalogue = _Catalogue(BytesIO(catalogue)) if catalogue else None
        except struct.error as error:
            raise ValueError(f"no catalogue: {error}") from None
        self.language = language
        self._known: dict[str, str] = {}
        self._shapes: list[Shape] | None = None  # made with the first text

    def __call__(self, text: str, values: Mapping[str, object] | None = None) -> str:
        """The text in this language; with `values`, which are looked up as well, in its places."""
        if values is None:
            return self._of(text)
        told = {name: self._of(one) if isinstance(one, str) else one for name, one in values.items()}
        try:
            return self._of(text) % told
        except (KeyError, TypeError, ValueError):  # the translation has places of its own
            return text % told

    def _of(self, text: str) -> str:
        if self._catalogue is None or not text:
            return text
        found = self._known.get(text)
        if found is None:
            found = self._catalogue.gettext(text)
            bare = text.strip()
            if found == text and bare != text:
                found = text.replace(bare, self._of(bare)) if bare else text
            elif found == text and len(text) <= TEXT_MAX:
                found = self._by_shape(text) or self._by_parts(text) or text
            if len(self._known) >= KNOWN_MAX:
                self._known.clear()
            self._known[text] = found
        return found

    def _by_shape(self, text: str) -> str | None:
        if self._shapes is None:
            assert self._catalogue
            self._shapes = shapes(self._catalogue.ids())
        for literal, readings, message in self._shapes:
            if literal not in text:
                continue
            found = [match.groupdict() for one in readings if (match := one.fullmatch(text))]
            if found:  # the reading whose parts are known words
                return self(message, max(found, key=self._words_in))
        return None

    def _words_in(self, values: Mapping[str, str]) -> int:
        return sum(self._of(one) != one for one in values.values())

    def _by_parts(self, text: str) -> str | None:
        for between in BETWEEN:
            head, there, tail = text.partition(between)
            if there and head and tail:
                told = self._of(head), self._of(tail)
                if told != (head, tail):
                    return between.join(told)
        return None


def shapes(messages: Iterable[str]) -> list[Shape]:
    """Of those that have places, the most particular first. Pure."""
    found: list[tuple[int, Shape]] = []
    for message in messages:
        pieces = [piece for piece in PLACE.split(message)[::3] if piece]
        names = {match[1] for match in PLACE.finditer(message) if match[1]}
        if not names or not re.search(rf"[^\W\d_]{{{LETTERS_MIN}}}", " ".join(pieces)):
            continue
        shape, at, seen = "", 0, set[str]()
        for match in PLACE.finditer(message):
            shape += re.escape(message[at : match.start()])
            name = match[1]
            shape += "%" if match[2] else f"(?P={name})" if name in seen else f"(?P<{name}>.*)"
            seen.add(name or "")
            at = match.end()
        shape += re.escape(message[at:])
        greedy, lazy = re.compile(shape, re.DOTALL), re.compile(shape.replace(".*)", ".*?)"), re.DOTALL)
        found.append((sum(map(len, pieces)), (max(pieces, key=len), (greedy, lazy), message)))
    found.sort(key=lambda one: (-one[0], one[1][2]))
    return [shape for _, shape in found]


ENGLISH = Words()


def spoken(pack: Mapping[str, Any]) -> Words:
    """Of what the operation `langpack_catalogue` answers. Raises as Words."""
    return Words(pack["catalogue"], pack["language"]) if pack.get("catalogue") else ENGLISH
