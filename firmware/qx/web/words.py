# SPDX-License-Identifier: Apache-2.0
"""words: every word of the pages in the language in use, by gettext catalogues. English is in the code.

What the schema says of a setting, and events and reasons in the daemon's words, are looked up as well; what a
catalogue does not have stays English.
"""

from __future__ import annotations

from gettext import GNUTranslations, NullTranslations
from io import BytesIO


class Words:
    """One language: `words("Save")`, or `_` in templates."""

    def __init__(self, catalogue: bytes | None = None, language: str = "en") -> None:
        """`catalogue` is a .mo file. Raises OSError or ValueError (UnicodeError too) for one that is none."""
        self._catalogue = GNUTranslations(BytesIO(catalogue)) if catalogue else NullTranslations()
        self.language = language

    def __call__(self, text: str) -> str:
        return self._catalogue.gettext(text) if text else ""


ENGLISH = Words()
