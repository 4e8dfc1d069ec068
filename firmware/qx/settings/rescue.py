# SPDX-License-Identifier: Apache-2.0
"""rescue: a damaged or missing database is set aside, never deleted, and made anew from the newest snapshot.

The new database is finished and flushed under another name first. Then the damaged one is moved away before
its write-ahead log, which would be applied to the new one otherwise; a cut between leaves a missing database,
which the next start rescues in the same way. Touches the folder of the database, through `files`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import Refusal
from ..model import Model
from . import tables
from .database import Database, StoreDamaged
from .files import FILES, Files
from .generations import Generations
from .notice import Notice
from .snapshot import Snapshot

NOTICES = "notices"  # in unit_state: told when the daemon could raise them
ASIDE_MAX = 99


def rescue(file: Path, model: Model, why: str, files: Files = FILES) -> Notice:
    """Puts a database made from the newest snapshot in the place of `file`. Raises StoreDamaged, with `why`,
    where there is no snapshot of this model; then nothing was touched."""
    found = Generations(file.parent, files).newest()
    if found is None or found.own is None or found.model != model.name:
        raise StoreDamaged(f"{why}; no snapshot of this {model.title} is beside it to restore from")
    aside = _free_name(file) if file.exists() else None
    kept = f"; the damaged database is kept as {aside.name}" if aside else ""
    notice = Notice("critical", "Settings restored from a snapshot", f"{why}; {found.position}{kept}")
    fresh = file.with_name(file.name + ".new")
    _make(fresh, found, {**found.own.unit_state, NOTICES: (notice.plain(),)}, files)
    try:
        if aside:
            files.rename(file, aside)
        wal = file.with_name(file.name + "-wal")
        if wal.exists():
            files.rename(wal, (aside or _free_name(file)).with_suffix(".db-wal"))
        files.flush_folder(file.parent)
        files.rename(fresh, file)
        files.flush_folder(file.parent)
    except OSError as error:
        raise Refusal(f"{file}: not restored from its snapshot: {error.strerror}") from None
    return notice


def _free_name(file: Path) -> Path:
    for number in range(1, ASIDE_MAX + 1):
        aside = file.with_name(f"{file.stem}.damaged-{number}.db")
        if not aside.exists() and not aside.with_suffix(".db-wal").exists():
            return aside
    raise Refusal(f"{file.parent}: {ASIDE_MAX} damaged databases; expected them to be taken away")


def _make(fresh: Path, found: Snapshot, unit_state: Mapping[str, Any], files: Files) -> None:
    for name in (fresh.name, fresh.name + "-wal"):
        files.remove(fresh.with_name(name))
    files.write(fresh, b"")
    assert found.own is not None
    db = Database(fresh, 0)
    try:
        tables.create(db)
        with db.transaction():
            tables.replace_shared(db, found.position, found.histories, found.state)
            tables.put_values(db, "own", dict(found.own.settings), found.own.rev)
            tables.put_unit_state(db, unit_state)
            # Revisions after the snapshot's may be known to the peer: none of them is used a second time.
            term = found.histories[-1].term if found.histories else 0
            tables.put_meta(db, {"own_rev": found.own.rev, "pending": term, "clean": True})
    finally:
        db.close()
    files.flush(fresh)
