# SPDX-License-Identifier: Apache-2.0
"""shimmed_sync: scenarios that run in a process whose flash goes through the shim: see test_sync_trouble.

`python shimmed_sync.py SCENARIO FOLDER`; a failed assertion is the exit code.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from flash_bench import mark
from sync_bench import Line, Unit, in_step, joined, pair, same

from qx.errors import Refusal
from qx.sync import messages
from waiting import until


async def following(folder: Path) -> None:
    """A Backup takes a snapshot, deltas one by one and many at once; each ACK is marked in the record before
    it goes out. What the Master had at each revision goes to folder/states."""
    a, b = pair(folder)
    states = {0: a.store.state_hash.hex()}
    for number in range(4):
        a.store.commit({"mail.user": f"u{number}", f"extensions.{100 + number}.name": "x"}, "t", "set")
        states[a.store.revision] = a.store.state_hash.hex()
    a.sync.role(True)
    b.sync.role(False)
    line = Line(a, b)
    send = line.ends[1].send

    def marked(kind: int, body: Any, *, bulk: bool = False) -> None:
        if kind == messages.ACK:
            mark(folder, body[2])
        send(kind, body, bulk=bulk)

    line.ends[1].send = marked  # type: ignore[method-assign]
    await line.join()
    await in_step(a, b)
    for number in range(12):
        await a.commit({"mail.user": f"v{number}", "extensions.100.name": "y" * number})
        states[a.store.revision] = a.store.state_hash.hex()
        if number % 3 == 0:
            await in_step(a, b)
    await in_step(a, b)
    await line.cut()
    (folder / "states").write_text(json.dumps(states))
    b.thread.shutdown()


async def backup_cannot_flush(folder: Path) -> None:
    """R16: no acknowledgement, a critical event, once, and no other try until a restart."""
    a, b = pair(folder)
    line = await joined(a, b)
    await in_step(a, b)
    await a.commit({"mail.user": "before"})
    assert await a.sync.durable(a.store.position, 5.0)
    (folder / "fail").touch()
    await a.commit({"mail.user": "lost"})
    assert not await a.sync.durable(a.store.position, 0.5)
    await until(lambda: b.names() == ["Settings cannot be written"])
    assert "until a restart" in b.events[0][2] and b.events[0][0] == "critical"
    assert b.store.settings["mail.user"] == "before"
    (folder / "fail").unlink()
    await a.commit({"mail.user": "later"})
    assert not await a.sync.durable(a.store.position, 0.3)
    await until(lambda: a.sync.status()["state"] == "waiting: the Backup cannot write its settings")
    a.sync.reconcile()
    await line.cut()
    line = await Line(a, b).join()
    await asyncio.sleep(0.2)
    assert not await a.sync.durable(a.store.position, 0.3)
    assert b.names() == ["Settings cannot be written"]
    assert b.sync.status()["state"].startswith("stopped")
    await line.cut()
    b.close()
    b = Unit(b.file, "QX200-B")
    b.sync.role(False)
    await Line(a, b).join()
    await in_step(a, b)
    assert b.store.settings["mail.user"] == "later"
    a.close()
    b.close()


async def master_cannot_flush(folder: Path) -> None:
    """R16: refused in words, nothing crosses, and what the Backup has stays what the Master had."""
    a, b = pair(folder)
    await joined(a, b)
    await in_step(a, b)
    await a.commit({"mail.user": "before"})
    await in_step(a, b)
    (folder / "fail").touch()
    for _ in range(2):
        try:
            await a.commit({"mail.user": "lost"})
        except Refusal as error:
            assert "no change is taken until a restart" in str(error)
        else:
            raise AssertionError("it was not refused")
        (folder / "fail").unlink(missing_ok=True)  # a flush that would succeed now proves nothing
    await asyncio.sleep(0.1)
    assert same(a, b) and b.store.settings["mail.user"] == "before"
    a.thread.shutdown()
    a.store._db.close()  # as when the process is killed
    again = Unit(a.file, "QX200-A")
    # What could not be flushed may be there after a restart or not: it was refused, and nobody counts on it.
    assert again.store.settings["mail.user"] in ("before", "lost")
    again.close()
    b.close()


async def conflict_cannot_flush(folder: Path) -> None:
    """R10, R16: what cannot be kept is not given up."""
    a, b = pair(folder)
    for unit in (a, b):
        unit.store.commit({"mail.user": unit.serial}, "t", "set")
    (folder / "fail").touch()
    await joined(a, b)
    await until(lambda: "Synchronization begins anew" in b.names())
    assert b.names()[0] == "Conflict snapshot not kept"
    assert b.store.settings["mail.user"] == "QX200-B"
    assert b.conflicts.found() == []
    a.close()
    b.thread.shutdown()


if __name__ == "__main__":
    asyncio.run(asyncio.wait_for(globals()[sys.argv[1]](Path(sys.argv[2])), 60))
