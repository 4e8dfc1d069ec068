# SPDX-License-Identifier: Apache-2.0
"""Tests of events may use the receivers, and what tests of the pair share."""

from __future__ import annotations

import pytest
from managed import MODULES, Mibs

from pairs import pytest_runtest_makereport

__all__ = ["pytest_runtest_makereport"]


@pytest.fixture(scope="session")
def mibs(tmp_path_factory: pytest.TempPathFactory) -> Mibs:
    """Our MIB and the RFCs'."""
    return Mibs(tmp_path_factory.mktemp("mibs"), "QX-REDUNDANCY-MIB", *MODULES.values())
