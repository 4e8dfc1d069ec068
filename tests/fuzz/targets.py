# SPDX-License-Identifier: Apache-2.0
"""targets: everything in Python that octets are handed to, by name; corpus/NAME has the octets that matter.

Good ones are those that begin with `good`; the others once went wrong, or are to be refused.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from qx.errors import Refusal

from . import face_targets, file_targets, peer_targets, store_targets
from .words import Target, in_words

CORPUS = Path(__file__).resolve().parent / "corpus"
TARGETS: dict[str, Target] = {
    **store_targets.TARGETS,
    **peer_targets.TARGETS,
    **file_targets.TARGETS,
    **face_targets.TARGETS,
}


def refused_or_read(name: str, octets: bytes) -> None:
    try:
        TARGETS[name](octets)
    except Refusal as error:
        in_words(error)


@cache
def seeds(name: str) -> dict[str, bytes]:
    """By file name."""
    return {file.name: file.read_bytes() for file in sorted((CORPUS / name).iterdir())}


def close() -> None:
    """Ends what targets have begun: a unit, a folder."""
    for part in (face_targets, file_targets):
        part.close()
