# SPDX-License-Identifier: Apache-2.0
"""What each revision of the settings holds, whatever is shared between them (R16)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qx.settings.layers import MOST, Layers

PATHS = st.sampled_from([f"extensions.{number}.name" for number in range(8)])
CHANGES = st.dictionaries(PATHS, st.one_of(st.none(), st.text(max_size=3)), max_size=8)


@given(base=st.dictionaries(PATHS, st.text(max_size=3)), steps=st.lists(CHANGES, max_size=40))
def test_each_revision_is_the_dictionary_that_it_would_be(
    base: dict[str, str], steps: list[dict[str, str | None]]
) -> None:
    """R16: every revision stays what it was, however many came after it."""
    kept = [(Layers(dict(base)), dict(base))]
    for changes in steps:
        layers, whole = kept[-1]
        whole = {path: value for path, value in {**whole, **changes}.items() if value is not None}
        kept.append((layers.replaced(changes), whole))
    for layers, whole in kept:
        assert sorted(layers) == sorted(whole)
        for number in range(8):
            path = f"extensions.{number}.name"
            assert layers.get(path) == whole.get(path)
            assert (path in layers) == (path in whole)


@pytest.mark.parametrize("changes", [MOST - 1, MOST, MOST + 1, 3 * MOST])
def test_many_changes_are_laid_down(changes: int) -> None:
    """R16: at the limit, below and above: one by one or at once, with what was taken away among them."""
    before = {f"phones.{number}.model": "T46U" for number in range(2 * MOST)}
    one_by_one = Layers(dict(before))
    for number in range(changes):
        one_by_one = one_by_one.replaced({f"phones.{number}.model": "T48" if number % 2 else None})
    at_once = Layers(dict(before)).replaced(
        {f"phones.{number}.model": "T48" if number % 2 else None for number in range(changes)}
    )
    wanted = before | {f"phones.{number}.model": "T48" for number in range(changes)}
    wanted = {path: v for path, v in wanted.items() if v != "T48" or int(path.split(".")[1]) % 2}
    for layers in (one_by_one, at_once):
        assert {path: layers.get(path) for path in layers} == wanted
