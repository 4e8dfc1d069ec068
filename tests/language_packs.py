# SPDX-License-Identifier: Apache-2.0
"""Language packs for tests: catalogues, and packs that the development key signed."""

from __future__ import annotations

import struct
from typing import Any

from board.vendor import issuing
from nacl.signing import SigningKey

from qx.trust.signers import DEVELOPMENT_ID
from qx.upgrade import language

DEVELOPMENT = issuing.read_signer(issuing.DEVELOPMENT_FILE)


def catalogue(words: dict[str, str]) -> bytes:
    """A .mo file of these words (GNU gettext manual, "The Format of GNU MO Files")."""
    entries = sorted({"": "Content-Type: text/plain; charset=UTF-8\n", **words}.items())
    table, texts = b"", b""
    at = 28 + 16 * len(entries)
    for column in (0, 1):
        for entry in entries:
            octets = entry[column].encode()
            table += struct.pack("<II", len(octets), at + len(texts))
            texts += octets + b"\0"
    count = len(entries)
    return struct.pack("<7I", 0x950412DE, 0, count, 28, 28 + 8 * count, 0, 0) + table + texts


def body(**changes: Any) -> dict[str, Any]:
    return {
        "language": "de", "name": "Deutsch", "version": "1.2", "firmware": ("1.0.0", "1.9"),
        "catalogue": catalogue({"Save": "Sichern", "Reboot": "Neustart"}), **changes,
    }  # fmt: skip


def signed(contents: dict[str, Any], private: SigningKey = DEVELOPMENT.private) -> bytes:
    """As `issuing.sign_language_pack` without its judgement: what a careless vendor would sign."""
    octets = language.unsigned(DEVELOPMENT_ID, contents)
    return octets + private.sign(language.CONTEXT + octets).signature


PACK = issuing.sign_language_pack(body(), DEVELOPMENT)
