# SPDX-License-Identifier: Apache-2.0
"""settings_bench: stores for tests, changes at random, files whose operations are recorded and replayed."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from qx.model import MODELS
from qx.settings.files import Files
from qx.settings.store import Store
from qx.settings.values import Plain

QX200 = MODELS["qx200"]


def new(folder: Path, name: str = "settings.db") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    Store.create(folder / name)
    return folder / name


def opened(file: Path, **options: Any) -> Store:
    return Store(file, QX200, **options)


@contextmanager
def two(folder: Path) -> Iterator[tuple[Store, Store]]:
    """The stores of two units, both in factory state."""
    with opened(new(folder / "a")) as a, opened(new(folder / "b")) as b:
        yield a, b


def cut(store: Store) -> None:
    """The power goes: nothing is finished. The lock is let go, as the kernel does."""
    writer = store._keeper._gathering
    with writer._lock:
        writer._due, writer._closing = False, True
        writer._lock.notify_all()
    store._db.close()


_NUMBERS = st.sampled_from(["101", "102", "103", "104"])
_TEXT = st.text(st.characters(codec="ascii", categories=["L", "N"]), max_size=6)
CHANGES: st.SearchStrategy[dict[str, Plain]] = st.dictionaries(
    st.one_of(
        st.builds("extensions.{}.name".format, _NUMBERS),
        st.builds("extensions.{}.display".format, _NUMBERS),
        st.sampled_from(["call.outside_prefix", "mail.user", "snmp.contact"]),
    ),
    st.one_of(st.none(), _TEXT),
    min_size=1,
    max_size=4,
).map(lambda changes: {p: v for p, v in changes.items() if p != "call.outside_prefix"} or {"mail.user": "x"})


# --- files that go through a power cut ----------------------------------------------------------------------
@dataclass
class Recorder(Files):
    """Does each operation and records it."""

    trace: list[tuple[Any, ...]] = field(default_factory=list[tuple[Any, ...]])

    def write(self, file: Path, octets: bytes) -> None:
        super().write(file, octets)
        self.trace.append(("write", file.name, octets))

    def flush(self, file: Path) -> None:
        super().flush(file)
        self.trace.append(("flush", file.name, file.read_bytes()))

    def rename(self, file: Path, to: Path) -> None:
        super().rename(file, to)
        self.trace.append(("rename", file.name, to.name))

    def remove(self, file: Path) -> None:
        if file.exists():
            super().remove(file)
            self.trace.append(("remove", file.name))

    def flush_folder(self, folder: Path) -> None:
        super().flush_folder(folder)
        self.trace.append(("flush folder",))


DAMAGES: tuple[Callable[[bytes], bytes], ...] = (
    lambda content: content,
    lambda content: content[:0],
    lambda content: content[: len(content) // 2],
    lambda content: bytes(len(content)),
)


@dataclass
class _Inode:
    content: bytes
    durable: bool


def crash_states(before: dict[str, bytes], trace: list[tuple[Any, ...]]) -> Iterator[dict[str, bytes]]:
    """Every state of the folder that a power cut during or after this trace may leave.

    Content that was not flushed is whole, lost, torn or zeros. Of the changes of names since the folder was
    last flushed any number, in their order, has reached flash.
    """
    inodes = {name: _Inode(content, True) for name, content in before.items()}
    durable = dict(inodes)  # names as on flash
    pending: list[dict[str, _Inode]] = []  # what the names become with each change since
    now = dict(inodes)
    yield from _torn(durable, pending)
    for operation, *rest in trace:
        if operation == "flush folder":
            durable, pending = dict(now), []
        elif operation == "flush":
            now[rest[0]].content, now[rest[0]].durable = rest[1], True
        else:
            now = dict(now)
            if operation == "write":
                now[rest[0]] = _Inode(rest[1], False)
            elif operation == "remove":
                now.pop(rest[0], None)
            else:
                now[rest[1]] = now.pop(rest[0])
            pending.append(now)
        yield from _torn(durable, pending)


def _torn(durable: dict[str, _Inode], pending: list[dict[str, _Inode]]) -> Iterator[dict[str, bytes]]:
    for names in (durable, *pending):
        for damage in DAMAGES:
            yield {n: i.content if i.durable else damage(i.content) for n, i in names.items()}


def lay_out(folder: Path, state: dict[str, bytes]) -> Path:
    """A folder in that state."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, content in state.items():
        (folder / name).write_bytes(content)
    return folder


def content_of(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}
