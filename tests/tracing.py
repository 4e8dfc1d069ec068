# SPDX-License-Identifier: Apache-2.0
"""What only a tracer can do to a process: hold one of its threads, or end it with an exit code of our choice.

`with Frozen(pid)` is a Python thread that never yields: the main thread is held while the others run on.
Python's main thread holds the interpreter lock or waits for what only it can do; stopped by ptrace it does
neither, as if one call of it never returned. A process of its own holds it and takes its remains when it is
killed: the kernel shows a dead thread to its tracer before its parent.
"""

from __future__ import annotations

import ctypes
import os
import platform
import signal
import subprocess
import sys
from types import TracebackType

import pytest

_SEIZE, _INTERRUPT, _GET_REGISTERS, _SET_REGISTERS, _CONTINUE = 0x4206, 0x4207, 12, 13, 7
_WALL = 0x40000000


class Frozen:
    """Holds the main thread of `pid` until the end of the block or of the process."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._holder: subprocess.Popen[str] | None = None

    def __enter__(self) -> Frozen:
        argv = [sys.executable, __file__, str(self._pid)]
        self._holder = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        assert self._holder.stdout
        assert self._holder.stdout.readline() == "held\n"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._holder
        self._holder.send_signal(signal.SIGTERM)  # a tracer that ends lets go
        self._holder.communicate()


def leave(pid: int, code: int) -> None:
    """The process calls exit_group(code), with none of its own code running before."""
    if platform.machine() != "x86_64":
        pytest.skip("the registers of this machine are not known here")
    argv = [sys.executable, __file__, str(pid), str(code)]
    assert subprocess.run(argv, stdout=subprocess.DEVNULL, check=False).returncode == 0


# ── the process ──


def _ptrace(request: int, pid: int, data: object = None) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    if libc.ptrace(request, pid, None, data) < 0:
        sys.exit(f"ptrace: {os.strerror(ctypes.get_errno())}")


def _exit_group(pid: int, code: int) -> None:
    """struct user_regs_struct of x86_64: back by the two octets of `syscall`, which it has just left."""
    registers = (ctypes.c_ulonglong * 27)()
    _ptrace(_GET_REGISTERS, pid, registers)
    rax, rdi, orig_rax, rip = 10, 14, 15, 16
    registers[rax], registers[rdi] = 231, code
    registers[orig_rax] = (1 << 64) - 1
    registers[rip] -= 2
    _ptrace(_SET_REGISTERS, pid, registers)
    _ptrace(_CONTINUE, pid)


def _hold(pid: int, code: int | None) -> None:
    _ptrace(_SEIZE, pid)
    _ptrace(_INTERRUPT, pid)
    os.waitpid(pid, _WALL)
    print("held", flush=True)
    if code is not None:
        _exit_group(pid, code)
    while True:  # it stays stopped: nothing continues it
        _, status = os.waitpid(pid, _WALL)
        if os.WIFEXITED(status) or os.WIFSIGNALED(status):
            return


if __name__ == "__main__":
    _hold(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else None)
