# SPDX-License-Identifier: Apache-2.0
"""Bad input: each Python target with its corpus as it is, changed at random, and with octets at random.

Each input is cut, repeated, overwritten and mixed with another, for moments; `make fuzz` looks for as long as
wanted, guided by what is reached (explore.py).
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from counts import SOAK

from .__main__ import IN_C, main
from .targets import CORPUS, TARGETS, close, refused_or_read, seeds

EXAMPLES = 20_000 if SOAK else 120
SLOW = {"http", "console"}  # a whole unit answers
ODD = [b"", b"\xff" * 4, b"\x7f\xff\xff\xff", bytes(8), b"\xdd\xff\xff\xff\xff", b"\xc1", b"9" * 30, b"\r\n"]
QUICK = [name for name in TARGETS if name not in SLOW]


@pytest.fixture(scope="module", autouse=True)
def unit() -> Iterator[None]:
    """Ends the unit that pages and console ask."""
    yield
    close()


def examples(count: int) -> settings:
    return settings(max_examples=count, deadline=None, suppress_health_check=list(HealthCheck))


@st.composite
def changed(draw: st.DrawFn, name: str) -> bytes:
    """An input of the corpus after some changes."""
    known = list(seeds(name).values())
    octets = bytearray(draw(st.sampled_from(known)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(octets)))
        to = draw(st.integers(at, min(len(octets), at + 40)))
        octets[at:to] = draw(
            st.binary(max_size=12)
            | st.just(bytes(octets[at:to]) * 2)
            | st.sampled_from(known)
            | st.sampled_from(ODD)
        )
    return bytes(octets)


def test_every_target_has_a_corpus() -> None:
    """The ladder's is in tests/vectors."""
    assert {folder.name for folder in CORPUS.iterdir()} == {*TARGETS, *IN_C} - {"packet"}
    assert all(seeds(name) for name in TARGETS)


def test_an_unknown_target_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    """Bad input: of `make fuzz` itself."""
    assert main(["--targets", "htp"]) == 2
    assert "TARGETS: htp: expected some of packet, group, pair, datagram, delta" in capsys.readouterr().err


@pytest.mark.parametrize("name", list(TARGETS))
def test_the_corpus_is_read_as_it_is(name: str) -> None:
    """Bad input: what is kept under `good` is read, everything else at least refused in words."""
    for file, octets in seeds(name).items():
        if file.startswith("good"):
            TARGETS[name](octets)
        else:
            refused_or_read(name, octets)


@pytest.mark.parametrize("name", QUICK)
@examples(EXAMPLES)
@given(data=st.data())
def test_changed_octets_are_read_or_refused(name: str, data: st.DataObject) -> None:
    """Security: the parsers that a stranger reaches, and what a user pastes, uploads or types."""
    refused_or_read(name, data.draw(changed(name)))


@pytest.mark.parametrize("name", sorted(SLOW))
@examples(EXAMPLES // 8)
@given(data=st.data())
def test_a_unit_answers_whatever_is_asked(name: str, data: st.DataObject) -> None:
    """R25, R30: pages and console."""
    refused_or_read(name, data.draw(changed(name)))


@pytest.mark.parametrize("name", QUICK)
@examples(EXAMPLES // 3)
@given(octets=st.binary(max_size=200))
def test_octets_at_random_are_read_or_refused(name: str, octets: bytes) -> None:
    """Security."""
    refused_or_read(name, octets)
