# SPDX-License-Identifier: Apache-2.0
"""Passwords: hashed with Argon2id, never comparable nor readable (R25)."""

from __future__ import annotations

import pytest

from qx.errors import Refusal
from qx.trust.password import LENGTH_MAX, Password, make, matches


def test_a_password_is_kept_as_argon2id_with_the_designs_cost() -> None:
    """R25, DESIGN: 12 MiB, three passes; salted, so equal passwords look different."""
    stored = make("factory", change=True)
    assert stored.hashed.startswith("$argon2id$v=19$m=12288,t=3,p=1$")
    assert "factory" not in repr(stored)
    assert stored.change
    assert not make("factory").change
    assert make("factory").hashed != stored.hashed
    assert matches(stored, "factory")
    for wrong in ("", "Factory", "factory ", "x" * (LENGTH_MAX + 1)):
        assert not matches(stored, wrong)


def test_equal_text_of_two_keyboards_is_one_password() -> None:
    assert matches(make("Pässwört"), "Pa\u0308sswo\u0308rt")


def test_limits_and_damage() -> None:
    """Bad input: named, and never a way in."""
    for wrong in ("", "x" * (LENGTH_MAX + 1)):
        with pytest.raises(Refusal, match=f"expected 1 to {LENGTH_MAX}"):
            make(wrong)
    assert matches(make("x" * LENGTH_MAX), "x" * LENGTH_MAX)
    for hashed in ("", "x", "$argon2id$v=19$m=12288,t=3,p=1$", "$argon2id$" + "é" * 10, "a" * 1000):
        assert not matches(Password(hashed), "")
        assert not matches(Password(hashed), "factory")
