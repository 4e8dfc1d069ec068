# SPDX-License-Identifier: Apache-2.0
"""holding: what an open store has, in memory and on flash, and how both move on together.

The base of `following` (what a Backup does with it) and `store` (what a Master does). Reading is from memory
and from any thread; writing is of the one thread that owns the store. Writes nothing by itself but what
opening needs: a rescue where asked for, a migration, and a log given up after an unclean end.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

from ..errors import Refusal
from ..model import Model
from . import tables
from .database import Database, StoreDamaged
from .files import FILES, Files
from .generations import Generations
from .keeper import DELAY, Keeper
from .lineage import Standing
from .log import Log
from .notice import Notice
from .notice import read as read_notice
from .position import History, Position
from .rescue import NOTICES, rescue
from .schema import SCHEMA, Schema
from .snapshot import Own, Snapshot
from .state import State
from .values import BadValue, Plain, accept
from .view import Settings

# What a unit has before it is a unit of somebody: such a state gives way to any other (R5).
BARE = ("redundancy.", "network.", "users.")


@dataclass(frozen=True, slots=True)
class Revision:
    """What a commit left behind. `rev` counts commits of shared and pair settings, `own_rev` those of the
    unit's own; `changed` names the paths whose value differs from before (empty: nothing was written);
    `frame` is the delta frame, empty where there is none."""

    rev: int
    own_rev: int
    changed: frozenset[str]
    frame: bytes = b""


class Holding:
    """See `Store` for what opening raises."""

    def __init__(
        self, file: Path, model: Model, wait: float = 2.0, schema: Schema = SCHEMA, *,
        recover: bool = False, keep_after: float = DELAY, files: Files = FILES,
    ) -> None:  # fmt: skip
        self.file = file
        self.model = model
        self.schema = schema
        self._listeners: list[Callable[[Revision], None]] = []
        self._moving = Lock()  # held while what belongs together is replaced or read together
        try:
            self._open(wait)
        except (StoreDamaged, FileNotFoundError) as error:
            missing = isinstance(error, FileNotFoundError)
            why = f"{file}: not found; expected the settings of a provisioned unit" if missing else str(error)
            if not recover:
                raise (Refusal if missing else StoreDamaged)(why) from None
            rescue(file, model, why, files)
            self._open(wait)
        self._keeper = Keeper(Generations(file.parent, files), self._picture, keep_after)

    # --- reading: from memory, from any thread -----------------------------------------------------
    @property
    def settings(self) -> Settings:
        """All settings at this revision; immutable, and replaced whole by a commit."""
        return self._settings

    @property
    def revision(self) -> int:
        return self._position.rev

    @property
    def position(self) -> Position:
        return self._position

    @property
    def database(self) -> Database:
        """For what is kept in the same file and is no setting (the voice manifest). Of the store's thread."""
        return self._db

    @property
    def state_hash(self) -> bytes:
        return self._state.digest

    @property
    def standing(self) -> Standing:
        """What the hello says of this store; whether it claims to be Master is the role's to fill in."""
        bare = all(path.startswith(BARE) for path in self._state.paths())
        return Standing(self._position, self._term, self._histories, self._state.digest, bare)

    @property
    def notices(self) -> tuple[Notice, ...]:
        """What happened to the store and nobody was told; `notices_told()` when an event has been raised."""
        return tuple(map(read_notice, self.unit_state_get(NOTICES, ())))

    @property
    def trouble(self) -> str:
        """Why the last snapshot beside the database was not written; empty where it was."""
        return self._keeper.trouble

    @property
    def log(self) -> Log:
        """The last revisions, to be read in the store's thread."""
        return self._log

    def unit_state_get(self, name: str, default: Any = None) -> Any:
        """What must survive reboots and is no setting: role, mode, term."""
        return self._unit_state.get(name, default)

    # --- what is no setting ------------------------------------------------------------------------
    def unit_state_put(self, values: Mapping[str, Any]) -> None:
        """Makes these durable together, and leaves the other names as they are."""
        with self._transaction():
            tables.put_unit_state(self._db, values)
        self._unit_state = {**self._unit_state, **values}
        self._keeper.changed()

    def notices_told(self) -> None:
        if self.notices:
            self.unit_state_put({NOTICES: ()})

    def subscribe(self, tell: Callable[[Revision], None]) -> Callable[[], None]:
        """Calls `tell(revision)` in the store's thread after each durable change of shared settings; it must
        neither wait nor raise. Returns the function that ends it."""
        self._listeners.append(tell)
        return lambda: self._listeners.remove(tell)

    def close(self) -> None:
        """Writes the snapshot that is due and marks a clean end."""
        self._keeper.close()
        if not self._clean:
            with suppress(Refusal), self._transaction():  # a store that failed stays marked as it is
                tables.put_meta(self._db, {"clean": True})
        self._db.close()

    # --- within ------------------------------------------------------------------------------------
    def _open(self, wait: float) -> None:
        if not self.file.exists():
            raise FileNotFoundError
        self._db = Database(self.file, wait)
        try:
            self._load()
        except BaseException:
            self._db.close()
            raise

    def _load(self) -> None:
        content = tables.read(self._db)
        self._position, self._histories, self._state = content.position, content.histories, content.state
        self._own_rev, self._unit_state = content.own_rev, dict(content.unit_state)
        self._pending, self._clean = content.pending, content.clean
        known = {**self._readable(dict(content.state.items())), **self._readable(content.own)}
        self._settings = Settings(self.model, known, self.schema)
        self._log = Log(self._db)
        if not self._clean:
            self._judge_log()

    def _judge_log(self) -> None:
        """After an unclean end: a log that does not hold together is given up, and no revision of it is used
        again. The settings themselves have their own hash, and stand."""
        fault = self._log.fault(self._position)
        if not fault:
            return
        notice = Notice(
            "warning", "Settings log given up", f"{self.file.name}: {fault}; a new history begins"
        )
        told = (*self.unit_state_get(NOTICES, ()), notice.plain())
        with self._transaction():
            self._log.drop()
            tables.put_meta(self._db, {"pending": self._term})
            tables.put_unit_state(self._db, {NOTICES: told})
        self._unit_state[NOTICES] = told
        self._pending = self._term

    @property
    def _marked(self) -> bool:
        """Is on flash what the next commit takes away: that the end was clean, or that a history is due?"""
        return self._clean or self._pending is not None

    @property
    def _term(self) -> int:
        """Of the history in which the settings are."""
        return self._histories[-1].term if self._histories else 0

    def _scope(self, path: str) -> str:
        setting = self.schema.find(path)
        return "" if setting is None else setting.scope

    def _readable(self, values: Mapping[str, Plain]) -> dict[str, Plain]:
        """What this firmware knows of these. What a newer one knew, or wrote in another form, stays on flash,
        is hashed and carried along, and is not looked at: it reads as not set."""
        return {path: value for path, value in values.items() if value is None or self.reads(path, value)}

    def reads(self, path: str, value: Plain) -> bool:
        """Does this firmware know that setting, and take that value for it?"""
        setting = self.schema.find(path)
        if setting is None:
            return False
        try:
            accept(setting.type, value)
        except BadValue:
            return False
        return True

    @contextmanager
    def _transaction(self) -> Generator[None]:
        """Durable when the block ends. On any error the log's counts are as before, like all else."""
        with self._log.undone_on_error(), self._db.transaction():
            yield

    def _moved(
        self, position: Position, histories: tuple[History, ...], state: State, after: Settings, own_rev: int
    ) -> None:
        """In memory what has become durable."""
        with self._moving:
            self._position, self._histories, self._state = position, histories, state
            self._settings, self._own_rev = after, own_rev

    def _done(self, revision: Revision) -> Revision:
        if revision.frame:
            for tell in tuple(self._listeners):  # first: the other unit waits for it
                tell(revision)
        self._keeper.changed()
        return revision

    def _with_history(self, history: History) -> tuple[History, ...]:
        known = self._histories
        return known if known and known[-1].id == history.id else (*known, history)

    def _picture(self) -> Snapshot:
        """For the files beside the database; called in the keeper's thread."""
        with self._moving:
            at, histories, state = self._position, self._histories, self._state
            own, own_rev, unit_state = self._settings, self._own_rev, self._unit_state
        kept = ((p, own.explicit_value(p)) for p in own.explicit_paths() if self._scope(p) == "unit")
        return Snapshot(self.model.name, at, histories, state, Own(tuple(sorted(kept)), own_rev, unit_state))
