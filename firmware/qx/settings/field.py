# SPDX-License-Identifier: Apache-2.0
"""field: what is wrong with a field, and the refusal that carries all that is. Imports no rule."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import Refusal


@dataclass(frozen=True, slots=True)
class FieldError:
    path: str
    problem: str  # what is wrong and what was expected

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}"


SHOWN = 10  # errors in the line; all are in `errors`


class BadSettings(Refusal):
    """Settings that would not be valid; `errors` has one entry a problem, the text is one line."""

    def __init__(self, errors: list[FieldError]) -> None:
        lines = list(dict.fromkeys(map(str, errors)))
        more = f"; and {len(lines) - SHOWN} more" if len(lines) > SHOWN else ""
        super().__init__("; ".join(lines[:SHOWN]) + more)
        self.errors = tuple(errors)
        self.fields = tuple((error.path, error.problem) for error in self.errors)
