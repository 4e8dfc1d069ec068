# SPDX-License-Identifier: Apache-2.0
"""Tests of events may use the receivers, and what tests of the pair share."""

from pairs import pytest_runtest_makereport

__all__ = ["pytest_runtest_makereport"]
