# SPDX-License-Identifier: Apache-2.0
"""The emulated board's workbench, with a shell of this computer at the other end of its socket."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from board.virt.workbench import Workbench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Workbench]:
    with socket.socket(socket.AF_UNIX) as port:
        port.bind(str(tmp_path / "workbench"))
        port.listen()
        bench = Workbench(tmp_path / "workbench")
        bench.begin(":")  # what is sent before the guest is up waits
        line, _ = port.accept()
    with line, subprocess.Popen(["/bin/busybox", "sh"], stdin=line, stdout=line, stderr=line) as shell:
        yield bench
        bench.hang_up()
        assert shell.wait(5) == 0


def test_a_command_ends_with_its_code_and_both_its_streams(bench: Workbench) -> None:
    found = bench.run("echo 'one  \"$HOME\" two'; echo three >&2; exit 7", 5)
    assert found == (7, 'one  "$HOME" two\nthree\n')
    assert bench.run("printf x", 5) == (0, "x")


def test_a_command_has_no_input_but_its_own(bench: Workbench) -> None:
    assert bench.run("cat", 5) == (0, "")
    assert bench.run("wc -l <<'END'\na\nb\nEND", 5)[1].strip() == "2"


def test_a_command_that_takes_too_long_is_ended_and_the_shell_stays(bench: Workbench) -> None:
    code, said = bench.run("echo begun; sleep 60", 1)
    assert code and said.startswith("begun\n")
    assert bench.run("true", 5) == (0, "")
