# SPDX-License-Identifier: Apache-2.0
"""Any octets as delta frame, snapshot or configuration backup: refused in words, or read, and nothing else.

Octets at random seldom pass a digest, so bodies at random are sealed with a right one as well. QX_SOAK=1 runs
the long count.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from counts import SOAK
from qx.errors import Refusal
from qx.packing import pack

from .store_targets import FORMATS

EXAMPLES = 100_000 if SOAK else 120
LEAF = st.one_of(
    st.none(), st.booleans(), st.integers(-(1 << 63), (1 << 64) - 1), st.floats(), st.binary(max_size=40),
    st.text(max_size=12), st.sampled_from(["mail.user", "a.b", "redundancy.enabled", "settings", "position"]),
    st.just(bytes(16)), st.just(bytes(32)),
)  # fmt: skip
KEYS = st.sampled_from([
    "model", "position", "histories", "settings", "state_hash", "own", "own_rev", "unit_state", "left_out",
    "secrets", "kdf", "salt", "box", "passes", "memory",
])  # fmt: skip
VALUE = st.recursive(
    LEAF, lambda inner: st.one_of(st.lists(inner, max_size=6), st.dictionaries(KEYS, inner, max_size=6)),
    max_leaves=25,
)  # fmt: skip
SHAPE = st.one_of(VALUE, st.dictionaries(KEYS, VALUE, min_size=3), st.lists(VALUE, min_size=6, max_size=6))


def refused_or_read(parse: Callable[[bytes], Any], octets: bytes) -> None:
    try:
        parse(octets)
    except Refusal as error:
        assert "\n" not in str(error)
        assert len(str(error)) < 2000


@pytest.mark.parametrize("name", list(FORMATS))
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(octets=st.binary(max_size=300))
def test_octets_at_random(name: str, octets: bytes) -> None:
    """Bad input: with a right beginning and without, with a right digest and without."""
    parse, seal, magic = FORMATS[name]
    for bad in (octets, magic + octets, magic + b"\0\1\0\0" + octets, seal(octets)):
        refused_or_read(parse, bad)


@pytest.mark.parametrize("name", list(FORMATS))
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(value=SHAPE)
def test_bodies_at_random(name: str, value: object) -> None:
    """Bad input: msgpack of any shape behind a right digest, as one who knows the format would send it."""
    parse, seal, _ = FORMATS[name]
    refused_or_read(parse, seal(pack(value)))


@pytest.mark.parametrize("name", list(FORMATS))
def test_nesting_without_end_is_refused(name: str) -> None:
    """Bad input: a list in a list in a list."""
    parse, seal, _ = FORMATS[name]
    with pytest.raises(Refusal):
        parse(seal(b"\x91" * 100_000 + b"\xc0"))
    with pytest.raises(Refusal):
        parse(seal(b"\xdd\xff\xff\xff\xff"))
