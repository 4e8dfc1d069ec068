# SPDX-License-Identifier: Apache-2.0
"""The slots' environment: two copies, torn writes, and the tools that know the same octets (R38)."""

from __future__ import annotations

import subprocess
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from counts import choices, count
from qx.upgrade import environment
from qx.upgrade.environment import (
    SECTOR,
    SIZE,
    BadEnvironment,
    EnvironmentFile,
    build,
    changed,
    parse,
    parse_copy,
)
from qx.upgrade.headers import COPY, COPY_SIZE

VARIABLES = st.dictionaries(
    st.from_regex(r"\A[a-z_][a-z0-9_]{0,15}\Z"),
    st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=40),
    max_size=20,
)


@given(VARIABLES, st.integers(0, 255))
def test_a_copy_reads_back_and_is_what_the_header_declares(variables: dict[str, str], flag: int) -> None:
    octets = build(variables, flag)
    assert len(octets) == SIZE == COPY_SIZE
    assert parse_copy(octets) == (variables, flag)
    declared = COPY.parse(octets)
    assert (declared.flag, declared.crc) == (flag, zlib.crc32(declared.variables))
    told = [f"{name}={value}".encode() for name, value in sorted(variables.items())]
    assert [one for one in declared.variables.split(b"\0") if one] == told


@given(VARIABLES, st.integers(0, 8 * SIZE - 1))
def test_one_flipped_bit_makes_a_copy_bad_or_is_the_flags(variables: dict[str, str], bit: int) -> None:
    octets = bytearray(build(variables, 7))
    octets[bit // 8] ^= 1 << bit % 8
    found = parse_copy(bytes(octets))
    assert found is None if bit // 8 != 4 else found and found[0] == variables


@pytest.mark.parametrize(
    ("flags", "place"),
    [((1, 0), 0), ((0, 1), 1), ((255, 0), 1), ((0, 255), 0), ((5, 5), 0), ((200, 201), 1), ((129, 1), 0)],
)
def test_the_newer_flag_counts_also_around_its_end(flags: tuple[int, int], place: int) -> None:
    found = parse(build({"slot": "A"}, flags[0]) + build({"slot": "B"}, flags[1]))
    assert (found.place, found.variables["slot"]) == (place, "AB"[place])


def test_neither_copy_good_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadEnvironment, match="both copies are damaged; expected at least one"):
        parse(bytes(2 * SIZE))
    with pytest.raises(BadEnvironment, match="both copies are damaged"):
        parse(b"")
    file = tmp_path / "env"
    file.write_bytes(bytes(2 * SIZE))
    assert EnvironmentFile(file).write({"slot": "B"}).variables == {"slot": "B"}, "it is made anew"


@pytest.mark.parametrize(
    "wrong", [{"": "x"}, {"a b": "x"}, {"a": "x\0y"}, {"a": "ü"}, {"a=b": "c"}, {"a": ""}]
)
def test_what_has_no_form_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(BadEnvironment, match="expected a name and a text"):
        build(wrong, 0)


def test_room_is_checked_at_its_end() -> None:
    """The limit, and one above it."""
    most = {"a": "x" * (SIZE - 5 - 4)}  # a=, the value, its zero and the last one
    assert parse_copy(build(most, 0)) == (most, 0)
    with pytest.raises(BadEnvironment, match="expected at most"):
        build({"a": most["a"] + "x"}, 0)


def test_a_write_that_power_cuts_leaves_what_was_or_what_is(tmp_path: Path) -> None:
    """R38: writes one after the other, each cut at a seeded place of either step, its sectors written in any
    order: what is read is the state before or the one after, and the next write goes on from there."""
    random = choices("torn environment")
    file = tmp_path / "env"
    environment.create(file)
    octets = file.read_bytes()
    for number in range(count(200, 5000)):
        before = parse(octets)
        at, new = changed(before, {"slot": random.choice("AB"), "tries": str(number)})
        after = octets[:at] + new + octets[at + SIZE :]
        torn = bytearray(octets)
        if random.random() < 0.8:  # the second step; else it is cut in the first
            torn[at : at + SECTOR] = bytes(SECTOR)
            sectors = list(range(0, SIZE, SECTOR))
            random.shuffle(sectors)
            for sector in sectors[: random.randint(0, len(sectors))]:
                torn[at + sector : at + sector + SECTOR] = new[sector : sector + SECTOR]
        if random.random() < 0.3:  # a sector of flash that was erased and not written
            where = at + random.randrange(0, SIZE, SECTOR)
            torn[where : where + SECTOR] = b"\xff" * SECTOR
        found = parse(bytes(torn))
        assert found.variables in (before.variables, parse(after).variables)
        octets = bytes(torn) if random.random() < 0.8 else after


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """An environment on a file, as libubootenv's tools know it."""
    file = tmp_path / "env"
    environment.create(file)
    (tmp_path / "fw_env.config").write_text(f"{file} 0x0000 {SIZE:#x}\n{file} {SIZE:#x} {SIZE:#x}\n")
    return file


def tool(file: Path, name: str, *arguments: str) -> str:
    argv = [name, "-c", str(file.with_name("fw_env.config")), *arguments]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


def test_libubootenv_reads_what_we_write_and_the_other_way_round(tools: Path) -> None:
    """R38: fw_printenv and fw_setenv in turns with ours, over the end of the flag's count."""
    ours = EnvironmentFile(tools)
    for number in range(6):
        assert tool(tools, "fw_printenv", "-n", "slot").strip() == ours.read().variables["slot"]
        ours.write({"slot": "AB"[number % 2], "tries": str(number)})
        assert tool(tools, "fw_printenv", "-n", "tries").strip() == str(number)
        tool(tools, "fw_setenv", "slot", "BA"[number % 2])
        assert ours.read().variables == {"slot": "BA"[number % 2], "tries": str(number)}
    tools.write_bytes(build({"slot": "B"}, 0) + build({"slot": "A"}, 255))
    assert tool(tools, "fw_printenv", "-n", "slot").strip() == ours.read().variables["slot"] == "B"
    ours.write({"tries": None, "slot": "A"})
    assert "tries" not in tool(tools, "fw_printenv")


def test_mkenvimage_makes_what_we_read(tmp_path: Path) -> None:
    """R38: the image's first environment, as genimage gets it from u-boot-tools."""
    (tmp_path / "env.txt").write_text("slot=A\ntries=3\n")
    made = tmp_path / "env.one"
    subprocess.run(["mkenvimage", "-r", "-s", hex(SIZE), "-o", made, tmp_path / "env.txt"], check=True)
    one = made.read_bytes()
    assert one[5:] == build({"slot": "A", "tries": "3"}, 0)[5:] or parse_copy(one) is not None
    found = parse_copy(one)
    assert found and found[0] == {"slot": "A", "tries": "3"}
