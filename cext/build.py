# SPDX-License-Identifier: Apache-2.0
"""The C extension `_qx`: what Python sees of the C sources, and how the binding is made from them.

The public headers are the only statement of the interface: this file reads them, leaves out what cffi's
parser does not take (preprocessor lines) and emits `_qx.c`, which `make build` links into the executable
and, for tests, into a module of its own. API mode and the limited API: one source for CPython 3.11 and later.

Usage: build.py emit FILE.c     write the binding's C source
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import cffi

HERE = Path(__file__).resolve().parent
# In the order of their dependence. Python sees all of these and nothing else.
HEADERS = [
    "packet.h",
    "fsm.h",
    "priority.h",
    "group.h",
    "announce.h",
    "probe.h",
    "hello.h",
    "siphash.h",
    "inquiry.h",
    "frame.h",
    "engine.h",
    "blink.h",
    "gpio.h",
    "kernel.h",
    "listing.h",
]


def declarations(header: Path) -> str:
    """The header's text as cffi takes it: no directive but `#define NAME NUMBER`, no comment."""
    text = re.sub(r"/\*.*?\*/", "", header.read_text(), flags=re.S)
    kept = []
    for line in text.splitlines():
        if line.lstrip().startswith("#") and not re.match(r"#define \w+\s+\d+\s*$", line):
            continue
        kept.append(line)
    return "\n".join(kept)


def binding() -> cffi.FFI:
    ffi = cffi.FFI()
    present = [name for name in HEADERS if (HERE / name).exists()]
    for name in present:
        ffi.cdef(declarations(HERE / name))
    ffi.set_source("_qx", "\n".join(f'#include "{name}"' for name in present), py_limited_api=True)
    return ffi


def main() -> int:
    if len(sys.argv) != 3 or sys.argv[1] != "emit":
        print(str(__doc__).splitlines()[-1], file=sys.stderr)
        return 2
    binding().emit_c_code(sys.argv[2])
    return 0


if __name__ == "__main__":
    sys.exit(main())
