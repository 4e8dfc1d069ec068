# SPDX-License-Identifier: Apache-2.0
"""part: voice data as the daemon has it: a Part of the session, over the tree data/qx/voice.

All methods are of the loop and none waits for a disk: rows are read and written in the store's thread, files
in threads of its own. One task looks at the tree as long as it is open (looking.py), one does what the
session brings as long as that is up. Which unit is the source is `role()`'s
to say; a message that fits the other role is dropped, because roles change while messages are on their way.
"""

from __future__ import annotations

import asyncio
import errno
import secrets
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

from ... import __version__
from ...errors import Refusal
from ...paths import Paths
from ...redundancy.peer.hello import newer
from ...redundancy.peer.message import VOICE, BadMessage
from ...redundancy.peer.part import Channel
from ...redundancy.peer.wire import Ended
from ..means import RunInStore, Tell
from . import messages, naming
from .batch import Committer
from .compare import Comparison
from .looking import Looking
from .manifest import Manifest, State
from .messages import Entry
from .session import Session
from .sink import Sink
from .source import Source
from .tree import Lost, Stopped, Tree

T = TypeVar("T")

WINDOW = 8  # CHANGES that may be sent and not acknowledged; more are left to a comparison
JOBS_MAX = 64  # messages of the Master that may wait on the Backup
RETRY = 10.0  # seconds until the Backup tries again to store what it had no space for
FOLDERS = 2048  # rows of folders that are read in one step of the store's thread
NAMED_MAX = 1000  # files of its own that a conflict snapshot names
ROUNDS = 4  # comparisons one after another while each one brings something
_FULL = (errno.ENOSPC, errno.EDQUOT)


class VoiceSync:
    """`told(severity, name, description)` raises an event; it may be called from any thread."""

    kinds = VOICE

    def __init__(
        self, paths: Paths, run_in_store: RunInStore, told: Tell, *, serial: str,
        firmware: str = __version__, tree: Tree | None = None,
    ) -> None:  # fmt: skip
        self._run_in_store, self._told, self._serial, self._firmware = run_in_store, told, serial, firmware
        self._tree = tree or Tree(paths.voice)
        self._pool = ThreadPoolExecutor(3, thread_name_prefix="voice")
        self._manifest: Manifest | None = None
        self._busy = asyncio.Lock()  # one at a time takes names in the tree and writes their rows
        self._looking = Looking(
            self, self._tree, self._off, self._in_manifest, self._busy, self._publish, told
        )
        self._scanner = self._looking.scanner
        self._committer = Committer(self._tree, self._off, self._in_manifest)
        self.leading: bool | None = None
        self._channel: Channel | None = None
        self._session: Session | None = None
        self._turned = False  # the role changed within this session
        self._sinking = asyncio.Lock()  # one session at a time uses staging
        self.foreign = False  # the tree is not the one of the manifest
        self.fatal = ""  # flash failed: nothing is stored until a restart
        self._trouble = ""
        self._background: set[asyncio.Task[Any]] = set()
        self._closing = False

    # --- beginning and end ----------------------------------------------------------------------------
    async def open(self) -> None:
        """Finishes what a cut left and begins to look at the tree. What is wrong with the tree is told and
        stands in the status; raises Refusal only where the store cannot be read."""
        manifest = await self._run_in_store(lambda store: Manifest(store.database, whole=False))
        while await self._run_in_store(lambda _: manifest.load(FOLDERS)):
            pass
        self._manifest = manifest
        try:
            await self._adopt(by_force=False)
            await self._committer.recover()
        except (OSError, Refusal) as error:
            self.failed(error)
        self._looking.open()

    async def close(self) -> None:
        """A clean end; what is under way is stopped where it stands."""
        self._closing = True
        self.ended()
        self._tree.stop = True
        await self._looking.close()
        async with self._sinking, self._busy:
            for task in tuple(self._background):
                task.cancel()
            self._looking.unwatch()
            manifest = self._manifest
            if manifest and not self._committer.dirty:
                with suppress(Refusal):
                    await self._run_in_store(lambda _: manifest.closed())
        self._pool.shutdown()
        self._tree.close()

    async def _adopt(self, *, by_force: bool) -> None:
        """Compares the mark of the tree with the manifest's. A tree that has none while the manifest has
        files is another one: it may be an unmounted medium, and nothing is to be concluded from it."""
        manifest = self._rows
        mark = await self._off(self._tree.open)
        if mark and mark == manifest.mark:
            self.foreign = False
            return
        if manifest.mark and manifest.files and not by_force:
            self.foreign = True
            raise Lost(
                f"{self._tree.root}: not the tree of voice data that was there before; expected its mark"
            )
        if not mark:
            mark = secrets.token_bytes(16)
            await self._off(lambda: self._tree.mark(mark))
        await self._in_manifest(lambda m: m.belongs(mark))
        self.foreign = False

    @property
    def _rows(self) -> Manifest:
        assert self._manifest is not None
        return self._manifest

    # --- threads --------------------------------------------------------------------------------------
    async def _off(self, work: Callable[[], T], /) -> T:
        """In a thread, to its end: also where the waiting task is cancelled, no thread is left behind."""
        future = asyncio.get_running_loop().run_in_executor(self._pool, work)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            await asyncio.wait((future,))
            if not future.cancelled():
                future.exception()
            raise

    async def _in_manifest(self, work: Callable[[Manifest], T], /) -> T:
        manifest = self._rows
        return await self._run_in_store(lambda _: work(manifest))

    # --- what the rest of the daemon says ---------------------------------------------------------------
    def role(self, leading: bool | None) -> None:
        """True: this unit is Master, the source. False: Backup. None: neither; nothing is looked at then."""
        if leading == self.leading:
            return
        self.leading = leading
        self._scanner.leading = bool(leading)
        self._turned |= self._session is not None
        self._end_session()
        self._begin_session()
        if leading is not None:
            self._looking.everything()

    def reconcile(self) -> None:
        """A full comparison: every Synchronization Interval, and when an administrator asks for it."""
        if self.leading is not None:
            self._looking.everything()

    def closed(self, path: str | bytes) -> None:
        """The PBX's own writer has finished this file (relative to the tree): it is pushed at once."""
        self._looking.closed(_octets(path))

    def deleted(self, path: str | bytes) -> None:
        """The PBX itself deleted this file: no accident."""
        self._looking.deleted(_octets(path))

    def allow_deletion(self) -> None:
        """An administrator confirms the deletion that is held."""
        if self._scanner.held:
            self._scanner.allowed = True
            self._looking.everything()

    def unshared(self) -> tuple[str, ...]:
        """Files that the other unit may not have, as text, at most NAMED_MAX: for a conflict snapshot. In the
        store's thread."""
        paths = self._manifest.unshared(NAMED_MAX) if self._manifest else []
        return tuple(path.decode("utf-8", "backslashreplace") for path in paths)

    async def flush(self, seconds: float) -> None:
        """All settled files have crossed and are acknowledged; Refusal, saying how much is left, where that
        takes longer."""
        until = asyncio.get_running_loop().time() + seconds
        wanted = self._looking.everything(eager=True)
        while not (self._looking.done >= wanted and self._in_step()):
            if self._session is None or asyncio.get_running_loop().time() >= until:
                raise Refusal(f"voice data: {self._left()}; expected all of it within {seconds:g} s")
            await asyncio.sleep(0.005)

    def _left(self) -> str:
        session = self._session
        if not self.leading:
            return "this unit is not the Master"
        if session is None:
            return "the other unit is not connected"
        files = max(self._rows.files - session.their_files, 0)
        octets = max(self._rows.octets - session.their_octets, 0)
        why = f" ({session.their_trouble})" if session.their_trouble else ""
        return f"{files} files, {octets} octets have not crossed" + (
            why if files or why else ", or changes of some"
        )

    def _in_step(self) -> bool:
        session = self._session
        return (
            bool(self.leading)
            and session is not None
            and not session.behind
            and session.acked == session.number
            and session.their_root == self._rows.root
            and not self._scanner.held
        )

    def status(self) -> dict[str, Any]:
        """files, octets, state, progress, unsettled, held, trouble. From memory."""
        manifest, session = self._manifest, self._session
        their = session.their_trouble if session else ""
        return {
            "files": manifest.files if manifest else 0,
            "octets": manifest.octets if manifest else 0,
            "state": self._state(),
            "progress": self._progress(),
            "unsettled": len(self._scanner.again),
            "held": self._scanner.held,
            "trouble": self.fatal or self._trouble or their or self._looking.trouble or None,
        }

    def _state(self) -> str:
        """off, alone, older (the other unit's firmware must not be fed), stopped, copying, in step."""
        session = self._session
        if self.leading is None or self._manifest is None:
            return "off"
        if self.fatal or self.foreign:
            return "stopped"
        if session is None:
            return "older" if self._channel else "alone"
        if self.leading:
            return "in step" if self._in_step() else "copying"
        return "in step" if session.done and not session.jobs and not session.began[0] else "copying"

    def _progress(self) -> dict[str, Any] | None:
        session, manifest = self._session, self._manifest
        if session is None or manifest is None or self._state() != "copying":
            return None
        if self.leading:
            have, goal = (session.their_files, session.their_octets), (manifest.files, manifest.octets)
        else:
            have, goal = (manifest.files, manifest.octets), session.goal
        began, first = session.began
        passed = asyncio.get_running_loop().time() - began if began else 0.0
        moved = have[1] - first
        left = (goal[1] - have[1]) * passed / moved if moved > 0 and goal[1] > have[1] else None
        return {
            "octets": min(have[1], goal[1]), "of": goal[1],
            "files": min(have[0], goal[0]), "of_files": goal[0],
            "seconds_left": None if left is None else round(left, 1),
        }  # fmt: skip

    # --- the session ------------------------------------------------------------------------------------
    def started(self, channel: Channel) -> None:
        self._end_session()
        self._channel, self._turned = channel, False
        self._begin_session()

    def ended(self) -> None:
        self._end_session()
        self._channel = None

    def _begin_session(self) -> None:
        channel = self._channel
        if channel is None or self.leading is None or self._manifest is None or self._closing:
            return
        theirs = channel.peer.firmware
        if newer(self._firmware, theirs) if self.leading else newer(theirs, self._firmware):
            return  # never from a newer release to an older one (R5)
        source = Source(channel, self._tree, self._off, self._in_manifest)
        sink = Sink(
            channel, self._tree, self._off, self._in_manifest, self._committer, self._serial, self._busy
        )
        session = self._session = Session(channel, source, sink)
        session.tasks = [asyncio.ensure_future(source.run()), asyncio.ensure_future(self._work(session))]
        for task in session.tasks:
            self._background.add(task)
            task.add_done_callback(self._background.discard)
        if self.leading:
            self._tell_state()
        else:  # the Master may have spoken before this unit knew its role
            channel.send(messages.HERE, ())

    def _end_session(self) -> None:
        session, self._session = self._session, None
        if session:
            session.end()

    def received(self, kind: int, body: Any) -> None:
        fields = messages.read(kind, body)
        session = self._session
        if session is None:
            return
        try:
            self._sort(session, kind, fields)
        except BadMessage:
            if not self._turned:  # what the unit asked for in its other role may still be on its way
                raise

    def _sort(self, session: Session, kind: int, fields: tuple[Any, ...]) -> None:
        match kind:
            case messages.WANT:
                session.source.asked(kind, fields)
            case messages.BLOBS:
                session.sink.blobs(fields[0])
            case messages.LACKING:
                session.sink.lacking(fields[1])
            case _ if self.leading:
                self._from_backup(session, kind, fields)
            case _:
                self._from_master(session, kind, fields)

    def _from_backup(self, session: Session, kind: int, fields: tuple[Any, ...]) -> None:
        match kind:
            case messages.AT:
                self._acknowledged(session, *fields)
            case messages.FOLDERS_WANTED | messages.ENTRIES_WANTED:
                session.source.asked(kind, fields)
            case messages.HERE:
                self._tell_state()
            case messages.DOUBT:
                self._doubted(fields[0])
            case messages.SURPLUS:
                self._job(session, kind, fields)
            case messages.TROUBLE:
                session.their_trouble = fields[0]
            case _:
                pass  # of the other role

    def _from_master(self, session: Session, kind: int, fields: tuple[Any, ...]) -> None:
        match kind:
            case messages.STATE | messages.CHANGES:
                self._job(session, kind, fields)
            case messages.FOLDERS | messages.ENTRIES | messages.TAKEN:
                answer = session.answers.get(kind)
                if answer is None or answer.done():
                    raise BadMessage(f"voice: kind {kind}: an answer that was not asked for")
                answer.set_result(fields)
            case _:
                pass  # of the other role

    def _job(self, session: Session, kind: int, fields: tuple[Any, ...]) -> None:
        if len(session.jobs) >= JOBS_MAX:
            raise BadMessage(f"voice: more than {JOBS_MAX} messages that wait; expected at most {WINDOW}")
        session.jobs.append((kind, fields))
        session.wake.set()

    async def _work(self, session: Session) -> None:
        """Does what the other unit brings, in its order."""
        async with self._sinking:
            while not session.over:
                if not session.jobs:
                    session.wake.clear()
                    await session.wake.wait()
                    continue
                kind, fields = session.jobs.popleft()
                try:
                    await self._do(session, kind, fields)
                except (Ended, Stopped):
                    break
                except (OSError, Refusal) as error:
                    self.failed(error)
                    if isinstance(error, OSError) and error.errno in _FULL:
                        with suppress(OSError, Stopped):
                            await self._off(lambda: self._tree.purge("~"))
                    session.channel.send(messages.TROUBLE, (self._trouble[:500],))
                    with suppress(Exception):
                        await session.sink.settled()
                    if kind == messages.SURPLUS:
                        session.channel.send(messages.TAKEN, (0,))
                    self._later(RETRY, session)
            await session.sink.abandon()

    def _later(self, seconds: float, session: Session) -> None:
        """The Backup says again where it stands, so that the Master begins anew."""

        def again() -> None:
            if self._session is session and not self.fatal and not self.leading:
                session.channel.send(messages.HERE, ())

        asyncio.get_running_loop().call_later(seconds, again)

    async def _do(self, session: Session, kind: int, fields: tuple[Any, ...]) -> None:
        if self.fatal:
            raise Refusal(self.fatal)
        if self.foreign and not self.leading:
            await self._adopt(by_force=True)  # what is missing is fetched again
        if self._committer.dirty:
            async with self._busy:
                await self._committer.recover()
        if kind == messages.SURPLUS:
            before = self._rows.files
            await session.sink.take(list(fields[0]), [], uniting=True)
            await session.sink.settled()
            session.channel.send(messages.TAKEN, (max(self._rows.files - before, 0),))
            return
        number, root, *rest = fields
        if kind == messages.STATE:
            session.goal = (rest[0], rest[1])
        else:
            await session.sink.take(list(rest[0]), [(path, b"") for path in rest[1]])
            await session.sink.settled()
        more = kind == messages.CHANGES and root == bytes(messages.HASH_SIZE)  # a later one tells the root
        if self._rows.root != root and not more and not session.jobs:
            await self._compare(session, root)
        if self._trouble:
            self._trouble = ""
            self._told("success", "Voice data: stored again", "the Backup follows the Master")
            session.channel.send(messages.TROUBLE, ("",))
        session.done = number
        self._tell_at(session)
        if self._rows.root == root:
            await self._equal()

    async def _compare(self, session: Session, root: bytes) -> None:
        while (
            self._looking.done < self._looking.due and not session.over
        ):  # what is here is to be known first
            await asyncio.sleep(0.01)
        session.began = (asyncio.get_running_loop().time(), self._rows.octets)
        try:
            for _ in range(ROUNDS):
                before = self._rows.root
                if before == root:
                    break
                comparison = Comparison(
                    session.ask, session.sink, self._in_manifest, lambda: self._tell_at(session)
                )
                await comparison.run()
                if self._rows.root == before or comparison.offered:
                    break
            await self._off(lambda: self._sweep(session.sink))
        finally:
            session.began = (0.0, 0)

    def _sweep(self, sink: Sink) -> None:
        """After a whole comparison nothing in staging is of use any more."""
        for name in self._tree.staging():
            if name not in sink.in_use:
                self._tree.remove(name)

    async def _equal(self) -> None:
        """Both units have the same: that is noted, a little at a time."""
        while await self._in_manifest(lambda m: m.all_shared(128) if m.fresh() else 0):
            pass

    def _tell_at(self, session: Session) -> None:
        rows = self._rows
        session.channel.send(messages.AT, (session.done, rows.root, rows.files, rows.octets))

    # --- as Master ----------------------------------------------------------------------------------------
    def _tell_state(self) -> None:
        session, rows = self._session, self._rows
        if session and self.leading:
            session.number += 1
            session.behind = False
            session.asked_root = session.their_root
            session.began = session.began if session.began[0] else (asyncio.get_running_loop().time(), 0)
            session.channel.send(messages.STATE, (session.number, rows.root, rows.files, rows.octets))

    def _publish(self, entries: list[Entry], gone: list[bytes]) -> None:
        session = self._session
        if session is None or not self.leading:
            return
        if session.behind or session.number - session.acked >= WINDOW:
            session.behind = True
            return
        session.number += 1
        more = self._scanner.telling
        root = bytes(messages.HASH_SIZE) if more else self._rows.root
        session.channel.send(messages.CHANGES, (session.number, root, tuple(entries), tuple(gone)))

    def _acknowledged(self, session: Session, number: int, root: bytes, files: int, octets: int) -> None:
        if number > session.number:
            raise BadMessage(f"voice: acknowledged {number}; expected at most {session.number}")
        begun = not session.their_root
        session.acked = max(session.acked, number)
        session.their_root, session.their_files, session.their_octets = root, files, octets
        if begun and session.began[0]:
            session.began = (session.began[0], octets)
        if number < session.number:
            return
        if session.behind:
            self._tell_state()
        elif root == self._rows.root:
            session.began = (0.0, 0)
            session.their_trouble = ""
            self._task(self._equal_here(root))
        elif root != session.asked_root:  # it got on since it was asked: further
            self._tell_state()

    async def _equal_here(self, root: bytes) -> None:
        if self._rows.root == root:
            with suppress(Refusal):
                await self._equal()

    def _doubted(self, path: bytes) -> None:
        """The Backup read other content than the row says: the row is made to be read again."""

        async def again() -> None:
            await self._in_manifest(lambda m: _read_again(m, path))
            self._looking.again(path)

        self._task(again())

    def _task(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    # --- looking.Host -----------------------------------------------------------------------------------
    @property
    def root(self) -> bytes:
        """Of the manifest, whose thread may wait: from memory."""
        return self._rows.root

    async def reopen(self) -> None:
        """The tree may be back, or be meant to be another one."""
        force = self.leading is False or self._scanner.allowed
        async with self._busy:
            await self._off(self._tree.reopen)
            await self._adopt(by_force=force)

    def looked(self, before: bytes, *, full: bool) -> None:
        """What is here is known: each unit says so to the other, where it is news."""
        if full and self.leading:
            self._trouble = ""
        if full:
            self._tell_state()
        if not self.leading and self._session and self._rows.root != before:
            self._session.channel.send(messages.HERE, ())  # what is here is not what it was

    # --- failures --------------------------------------------------------------------------------------
    def failed(self, error: OSError | Refusal) -> None:
        """Tell once. Without space it is tried again; a flash that fails is not believed until a restart."""
        code = error.errno if isinstance(error, OSError) else None
        text = f"{self._tree.root}: {error.strerror}" if isinstance(error, OSError) else str(error)
        if code in _FULL:
            text = f"{self._tree.root}: no space left; expected room for the Master's files"
        elif code == errno.EIO:
            text += "; nothing is stored or acknowledged until a restart"
            self.fatal = self.fatal or text
        if isinstance(error, Lost) and self.leading and self._manifest:
            self._scanner.held = self._manifest.files
        if text != self._trouble:
            self._trouble = text
            self._told("critical" if self.fatal else "warning", "Voice data: not synchronised", text)


def _octets(path: str | bytes) -> bytes:
    octets = path if isinstance(path, bytes) else path.encode("utf-8", "surrogateescape")
    if fault := naming.fault(octets):
        raise Refusal(f"voice file: {fault}")
    return octets


def _read_again(manifest: Manifest, path: bytes) -> None:
    row = manifest.row(path)
    if row is not None and row.live:
        with manifest.moving() as move:
            move.mark(path, State.UNSETTLED)
