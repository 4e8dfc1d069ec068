# SPDX-License-Identifier: Apache-2.0
"""rescue: a damaged or missing database is set aside, never deleted, and made anew from the newest snapshot.
Where there is none either a paired unit must still say so and serve nothing (R1): `anew` makes an empty one
that knows that the settings are lost.

The new database is finished and flushed under another name first. Then the damaged one is moved away before
its write-ahead log, which would be applied to the new one otherwise; a cut between leaves a missing database,
which the next start rescues in the same way. Touches the folder of the database, through `files`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..errors import Refusal
from ..model import Model
from . import tables
from .database import Database, StoreDamaged
from .files import FILES, Files
from .generations import NAMES, Generations
from .notice import Notice
from .snapshot import Own, Snapshot

NOTICES = "notices"  # in unit_state: told when the daemon could raise them
LOST = "lost"  # in unit_state: why the settings of this unit are gone; until it is a new unit
ASIDE_MAX = 99


def rescue(file: Path, model: Model, why: str, files: Files = FILES) -> Notice:
    """Puts a database made from the newest snapshot in the place of `file`. Raises StoreDamaged, with `why`,
    where there is no snapshot of this model; then nothing was touched."""
    found = Generations(file.parent, files).newest()
    if found is None or found.own is None or found.model != model.name:
        raise StoreDamaged(f"{why}; no snapshot of this {model.title} is beside it to restore from")
    aside = _free_name(file)
    notice = Notice(
        "critical", "Settings restored from a snapshot", f"{why}; {found.position}{_kept(file, aside)}"
    )
    own = found.own
    _put(file, aside, lambda db: _from_snapshot(db, found, own, notice), files)
    return notice


def anew(file: Path, why: str, files: Files = FILES) -> Notice:
    """Puts an empty database in the place of `file`; the snapshots that are of no use are set aside as well.
    Raises Refusal where flash refuses."""
    aside = _free_name(file)
    notice = Notice(
        "critical", "Settings lost",
        f"{why}; this device serves nothing until redundancy.enabled is set{_kept(file, aside)}",
    )  # fmt: skip
    try:
        for number, name in enumerate(NAMES, 1):
            snapshot = file.with_name(name)
            if snapshot.exists():
                files.rename(snapshot, aside.with_suffix(f".{number}.snapshot"))
    except OSError as error:
        raise Refusal(f"{file}: not made anew: {error.strerror}") from None
    _put(file, aside, lambda db: tables.put_unit_state(db, {LOST: why, NOTICES: (notice.plain(),)}), files)
    return notice


def _kept(file: Path, aside: Path) -> str:
    return f"; the damaged database is kept as {aside.name}" if file.exists() else ""


def _put(file: Path, aside: Path, fill: Callable[[Database], object], files: Files) -> None:
    """A new database in the place of `file`, which goes to `aside`. Raises Refusal."""
    fresh = file.with_name(file.name + ".new")
    try:
        _make(fresh, fill, files)
        if file.exists():
            files.rename(file, aside)
        wal = file.with_name(file.name + "-wal")
        if wal.exists():
            files.rename(wal, aside.with_suffix(".db-wal"))
        files.flush_folder(file.parent)
        files.rename(fresh, file)
        files.flush_folder(file.parent)
    except OSError as error:
        raise Refusal(f"{file}: not made anew: {error.strerror}") from None


def _free_name(file: Path) -> Path:
    for number in range(1, ASIDE_MAX + 1):
        aside = file.with_name(f"{file.stem}.damaged-{number}.db")
        if not aside.exists() and not aside.with_suffix(".db-wal").exists():
            return aside
    raise Refusal(f"{file.parent}: {ASIDE_MAX} damaged databases; expected them to be taken away")


def _make(fresh: Path, fill: Callable[[Database], object], files: Files) -> None:
    for name in (fresh.name, fresh.name + "-wal"):
        files.remove(fresh.with_name(name))
    files.write(fresh, b"")
    db = Database(fresh, 0)
    try:
        tables.create(db)
        with db.transaction():
            fill(db)
    finally:
        db.close()
    files.flush(fresh)


def _from_snapshot(db: Database, found: Snapshot, own: Own, notice: Notice) -> None:
    tables.replace_shared(db, found.position, found.histories, found.state)
    tables.put_values(db, "own", dict(own.settings), own.rev)
    tables.put_unit_state(db, {**own.unit_state, NOTICES: (notice.plain(),)})
    # Revisions after the snapshot's may be known to the peer: none of them is used a second time.
    term = found.histories[-1].term if found.histories else 0
    tables.put_meta(db, {"own_rev": own.rev, "pending": term, "clean": True})
