# SPDX-License-Identifier: Apache-2.0
"""age: how old the Backup's state is, and whether that is to be told (R15). Pure; `now` is monotonic seconds.

Current is a Backup that has everything of a Master that it is in touch with: its age is 0, because changes
cross as they happen. From then on it ages from the last instant at which that was known.
"""

from __future__ import annotations

INTERVALS = 3  # Synchronization Intervals after which an age is worth an event


class Age:
    """`since` is when it was current last; without one it never was, as far as this run of the daemon knows,
    and only `watched` counts."""

    def __init__(self) -> None:
        self.current = False
        self.since: float | None = None
        self._watched: float | None = None
        self.told = False  # that it is too old

    def watch(self, now: float) -> None:
        """From now on it matters even if it never was current: this unit is Backup."""
        if self._watched is None:
            self._watched = now

    def unwatch(self) -> None:
        self._watched, self.told = None, False

    def known_current(self, now: float) -> None:
        self.current, self.since = True, now

    def known_behind(self, now: float) -> None:
        """Current until now, and no longer."""
        if self.current:
            self.current, self.since = False, now

    def out_of_touch(self, now: float, unnoticed: float) -> None:
        """The session ended; it may have been silent for `unnoticed` seconds before."""
        if self.current:
            self.current, self.since = False, max(now - unnoticed, self.since or 0.0)

    def seconds(self, now: float) -> float | None:
        """None where it never was current."""
        if self.current:
            return 0.0
        return None if self.since is None else max(0.0, now - self.since)

    def due(self, interval: float) -> float | None:
        """When it becomes too old; None while it is current or nobody counts."""
        begin = self.since if self.since is not None else self._watched
        return None if self.current or begin is None else begin + INTERVALS * interval

    def news(self, now: float, interval: float) -> bool | None:
        """True: it has become too old; False: it was and is not any more; None: nothing to be told. Each is
        said once."""
        due = self.due(interval)
        stale = due is not None and now > due
        if stale == self.told or (not stale and not self.current):
            return None
        self.told = stale
        return stale
