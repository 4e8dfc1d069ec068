# SPDX-License-Identifier: Apache-2.0
"""stock: the voice files of this unit: the tree, its manifest, and the threads in which either is worked on.

A mark in the tree says whose manifest it has. What fails is told once; after a flash that failed nothing is
stored until a restart.
"""

from __future__ import annotations

import asyncio
import errno
import secrets
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

from ...errors import Refusal
from ...tasks import Tasks
from ..means import RunInStore, Tell
from .batch import Committer
from .manifest import Manifest
from .tree import Lost, Tree

T = TypeVar("T")

FOLDERS = 2048  # rows of folders that are read in one step of the store's thread
FULL = (errno.ENOSPC, errno.EDQUOT)


class Stock:
    def __init__(self, tree: Tree, run_in_store: RunInStore, told: Tell) -> None:
        self.tree, self._run_in_store, self._told = tree, run_in_store, told
        self._pool = ThreadPoolExecutor(3, thread_name_prefix="voice")
        self._tasks = Tasks()
        self.manifest: Manifest | None = None  # none until it is read
        self.committer = Committer(tree, self.off, self.in_manifest)
        self.busy = asyncio.Lock()  # one at a time takes names in the tree and writes their rows
        self.gathering = asyncio.Lock()  # one session at a time uses staging
        self.foreign = False  # the tree is not the one of the manifest
        self.fatal = ""  # flash failed: nothing is stored until a restart
        self.trouble = ""

    @property
    def rows(self) -> Manifest:
        assert self.manifest is not None
        return self.manifest

    # --- beginning and end ----------------------------------------------------------------------------
    async def load(self) -> None:
        """Reads the manifest. Raises Refusal."""
        manifest = await self._run_in_store(lambda store: Manifest(store.database, whole=False))
        while await self._run_in_store(lambda _: manifest.load(FOLDERS)):
            pass
        self.manifest = manifest

    async def adopt(self, *, by_force: bool = False) -> None:
        """Compares the mark of the tree with the manifest's. A tree that has none while the manifest has
        files is another one: it may be an unmounted medium, and nothing is to be concluded from it."""
        manifest = self.rows
        mark = await self.off(self.tree.open)
        if mark and mark == manifest.mark:
            self.foreign = False
            return
        if manifest.mark and manifest.files and not by_force:
            self.foreign = True
            raise Lost(
                f"{self.tree.root}: not the tree of voice data that was there before; expected its mark"
            )
        if not mark:
            mark = secrets.token_bytes(16)
            await self.off(lambda: self.tree.mark(mark))
        await self.in_manifest(lambda m: m.belongs(mark))
        self.foreign = False

    async def reopen(self, *, by_force: bool) -> None:
        """The tree may be back, or be meant to be another one."""
        async with self.busy:
            await self.off(self.tree.reopen)
            await self.adopt(by_force=by_force)

    async def ready(self, *, by_force: bool = False) -> None:
        """For the next batch. Raises Refusal after a flash that failed. `by_force`: a foreign tree becomes
        this unit's, and what is missing in it is fetched again."""
        if self.fatal:
            raise Refusal(self.fatal)
        if self.foreign and by_force:
            await self.adopt(by_force=True)
        if self.committer.dirty:
            async with self.busy:
                await self.committer.recover()

    async def close(self) -> None:
        """A clean end."""
        async with self.gathering, self.busy:
            for task in self._tasks:
                task.cancel()
            manifest = self.manifest
            if manifest and not self.committer.dirty:
                with suppress(Refusal):
                    await self._run_in_store(lambda _: manifest.closed())
        self._pool.shutdown()
        self.tree.close()

    # --- threads --------------------------------------------------------------------------------------
    async def off(self, work: Callable[[], T], /) -> T:
        """In a thread, to its end: also where the waiting task is cancelled, no thread is left behind."""
        future = asyncio.get_running_loop().run_in_executor(self._pool, work)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            await asyncio.wait((future,))
            if not future.cancelled():
                future.exception()
            raise

    async def in_manifest(self, work: Callable[[Manifest], T], /) -> T:
        manifest = self.rows
        return await self._run_in_store(lambda _: work(manifest))

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """What nobody waits for; it ends with the part."""
        self._tasks.spawn(work)

    async def equal(self, root: bytes) -> None:
        """The other unit has this root: that is noted, a little at a time, for as long as this one has it."""
        while await self.in_manifest(lambda m: m.all_shared(root, 128) if m.fresh() else 0):
            pass

    # --- failures --------------------------------------------------------------------------------------
    def failed(self, error: OSError | Refusal) -> None:
        """Tell once. Without space it is tried again; a flash that fails is not believed until a restart."""
        code = error.errno if isinstance(error, OSError) else None
        text = f"{self.tree.root}: {error.strerror}" if isinstance(error, OSError) else str(error)
        if code in FULL:
            text = f"{self.tree.root}: no space left; expected room for the Master's files"
        elif code == errno.EIO:
            text += "; nothing is stored or acknowledged until a restart"
            self.fatal = self.fatal or text
        if text != self.trouble:
            self.trouble = text
            self._told("critical" if self.fatal else "warning", "Voice data: not synchronised", text)

    def stored(self) -> bool:
        """Something was: returns whether that is news."""
        news = bool(self.trouble)
        if news:
            self.trouble = ""
            self._told("success", "Voice data: stored again", "the Backup follows the Master")
        return news
