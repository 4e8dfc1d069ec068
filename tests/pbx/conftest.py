# SPDX-License-Identifier: Apache-2.0
"""A failure shows what the units said."""

from pairs import pytest_runtest_makereport

__all__ = ["pytest_runtest_makereport"]
