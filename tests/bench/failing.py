# SPDX-License-Identifier: Apache-2.0
"""What the tests' own helpers and the daemon say of a failure, as the bench takes it."""

import contextlib
from collections.abc import Iterator

import pytest
from board.lab.namespace import LabError

from qx.errors import Refusal


@contextlib.contextmanager
def failing() -> Iterator[None]:
    """Within it a failed wait, an assertion, a refusal or a missing file is a LabError."""
    try:
        yield
    except (AssertionError, pytest.fail.Exception, Refusal, FileNotFoundError) as failure:
        raise LabError(str(failure)) from None
