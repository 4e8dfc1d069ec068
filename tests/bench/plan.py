# SPDX-License-Identifier: Apache-2.0
"""What is measured, in which order and how often: the rows of the table, by setting."""

from collections.abc import Sequence, Set
from dataclasses import dataclass, field

from . import takeover
from .figures import FRR, PRODUCT, TAKEOVER, Row
from .guests import COPIERS
from .setting import DEFAULT, FAST, FASTEST, OFFICE, SERVING, Setting
from .takeover import TWO_HOLDERS_LOOKED, Event


@dataclass(frozen=True)
class Counts:
    """How often, how long."""

    slow: int = 10  # power cuts, kills and releases at 1 s
    fast: int = 20  # power cuts at the faster settings
    kill_all: int = 3
    slices: int = 4  # of an idle pair
    slice_s: float = 5.0
    packets: int = 100_000
    floods: int = 2
    starts: int = 20
    settings: int = 5000
    commits: int = 1000
    files: int = 10_000
    runs: int = 5  # of rsync
    calls: int = 50  # up through a power cut with 2,000 registrations
    serving: int = 3  # such power cuts
    boots: int = 2  # of the emulated pair
    day_s: float = 65.0  # of an idle pair, taken for a day: a synchronisation interval and some


QUICK = Counts(
    slow=2, fast=4, kill_all=1, slices=2, slice_s=3.0, floods=1, starts=10, commits=200, runs=2, serving=1,
    boots=1, day_s=20.0,
)  # fmt: skip


@dataclass
class Trial:
    """An event under a setting and the rows that it feeds, by the figure of `Seen` that each takes."""

    event: Event
    rows: dict[str, Row]
    wait_for_one: bool = False

    @property
    def lead(self) -> Row:
        """The row that says whether another trial is due."""
        return next(iter(self.rows.values()))


@dataclass(frozen=True)
class Chapter:
    """Rows that stand in one table of the report; `remark` says what the table cannot."""

    title: str
    rows: list[Row]
    remark: str = ""


_THEN = "  until the other is Master"
# The chapter of each load; trials are takeovers.
_TAKEOVER, _COST, _SYNC, _SERVICE = "Takeover", "Cost and start", "Synchronisation", "Calls and phones"
_CHAPTERS = {
    "flood": _COST,
    "status": _COST,
    "idle": _COST,
    "listening": _COST,
    "memory": _COST,
    "wear": _COST,
    "settings": _SYNC,
    "voice": _SYNC,
    "telephony": _SERVICE,
}
_REMARKS = {
    _TAKEOVER: "Silence says little of FRR: a unit of it that is not Master has the address on a device that "
    "is down, and answers what the PC sends to that unit's own MAC. When the other is Master tells more."
}


@dataclass
class Section:
    """Everything under one setting: trials with the probe, then what is measured without."""

    setting: Setting
    trials: list[Trial] = field(default_factory=list[Trial])
    loads: dict[str, dict[str, Row]] = field(default_factory=dict[str, dict[str, Row]])

    @property
    def rows(self) -> list[Row]:
        return [row for trial in self.trials for row in trial.rows.values()] + [
            row for rows in self.loads.values() for row in rows.values()
        ]


def sections(counts: Counts, keys: Set[str] = frozenset()) -> list[Section]:
    """The whole plan, or what is in it under these keys."""
    planned = _planned(counts)
    for section in planned:
        section.trials = [t for t in section.trials if not keys or keys & {r.key for r in t.rows.values()}]
        section.loads = {
            name: rows
            for name, rows in section.loads.items()
            if not keys or keys & {row.key for row in rows.values()}
        }
    return [section for section in planned if section.rows]


def chapters(planned: Sequence[Section]) -> list[Chapter]:
    """The rows of all sections by what they are about, in the report's order; none without a row."""
    found: dict[str, list[Row]] = {title: [] for title in (_TAKEOVER, *_CHAPTERS.values())}
    for section in planned:
        for trial in section.trials:
            found[_TAKEOVER] += trial.rows.values()
        for name, rows in section.loads.items():
            found[_CHAPTERS[name]] += rows.values()
    return [Chapter(title, rows, _REMARKS.get(title, "")) for title, rows in found.items() if rows]


def _planned(counts: Counts) -> list[Section]:
    def both(key: str, name: str, wanted: int, note: str = "") -> dict[str, Row]:
        return {
            "silence": Row(key, f"{name}: silence", "ms", wanted, note, TAKEOVER),
            "takeover": Row(f"{key}-takeover", _THEN, "ms", wanted, of=TAKEOVER),
        }

    def cut(setting: Setting, wanted: int, note: str = "") -> Trial:
        key = f"cut-{setting.name.split(' ', 1)[1].replace(' ', '')}"
        return Trial(takeover.power_cut, both(key, f"power cut of the Master, {setting.name}", wanted, note))

    slow = counts.slow
    hurried = "frr: its shortest interval, and vrrpd has no real-time priority as the others have"
    released = "qx: when the other is Master counts from the start of `qx swap`, not from the swap"
    stays_dead = "frr: vrrpd stays dead, for watchfrr does not run here"
    stays_hung = "keepalived, frr: nothing ends a process that hangs; the bench switches the unit off"
    alone = {FRR: "there is no supervisor here; vrrpd alone is the row of kill -9"}
    default = Section(
        DEFAULT,
        [
            Trial(takeover.release, both("release", "planned release (swap; SIGTERM)", slow, released)),
            Trial(takeover.kill, both("kill", "kill -9 of the daemon (VRRP process)", slow, stays_dead)),
            Trial(takeover.hang, both("hang", "hang of the daemon (VRRP process)", slow, stays_hung)),
            cut(DEFAULT, slow),
            Trial(
                takeover.kill_all,
                {
                    "two_holders": Row(
                        "kill-all",
                        "kill -9 with the supervisor: until one holds the address",
                        "ms",
                        counts.kill_all,
                        f"looked at for {TWO_HOLDERS_LOOKED:g} s: a figure above that is without end",
                        without=alone,
                    ),
                    "takeover": Row("kill-all-takeover", _THEN, "ms", counts.kill_all, without=alone),
                },
                wait_for_one=True,
            ),
        ],
        {
            "flood": {
                "master": Row(
                    "flood",
                    f"{counts.packets:,} malformed advertisements: CPU of the Master",
                    "ms",
                    counts.floods,
                ),
                "backup": Row("flood-backup", "  of the Backup", "ms", counts.floods),
                "changes": Row("flood-changes", "  role changes", "", counts.floods),
            },
            "wear": _wear(counts),
            "status": {"status": Row("status", "`qx status`", "ms", counts.starts, of=(PRODUCT,))},
        },
    )
    fastest = Section(
        FASTEST,
        [cut(FASTEST, counts.fast, hurried)],
        {
            "idle": {
                "master": Row("idle", "idle at 10 ms: CPU of the Master", "ms/s", counts.slices),
                "backup": Row("idle-backup", "  of the Backup", "ms/s", counts.slices),
            },
            "listening": {
                "listening": Row("listening", "start of the daemon until it hears VRRP", "ms", counts.fast),
            },
            "memory": {
                "engine": Row("memory", "engine and control plane (VRRP process): resident", "MiB", 2),
                "unit": Row("memory-unit", "  all processes of a unit: proportional share", "MiB", 2),
                "supervisor": Row("memory-supervisor", "  guardian (supervisor): private", "MiB", 2),
            },
        },
    )
    return [fastest, Section(FAST, [cut(FAST, counts.fast)]), default, _crossing(counts), _serving(counts)]


def _wear(counts: Counts) -> dict[str, Row]:
    """What an idle pair costs by the day."""
    ours, taken = (PRODUCT,), f"{counts.day_s:g} s of an idle pair, taken for a day"
    return {
        "flash": Row("flash", "idle: written to the Master's flash a day", "MiB", 1, taken),
        "flash-backup": Row("flash-backup", "  to the Backup's", "MiB"),
        "change": Row("flash-change", "  by one setting, to the Master's", "KiB", of=ours),
        "change-backup": Row("flash-change-backup", "  to the Backup's", "KiB", of=ours),
        "wire": Row("wire", "idle at 1 s: frames of both units a day", "MiB", 1, taken),
    }


def _crossing(counts: Counts) -> Section:
    """What crosses to the Backup, beside rsync, csync2 and lsyncd."""

    def row(key: str, name: str, unit: str, wanted: int = 1, note: str = "") -> Row:
        return Row(key, name, unit, wanted, note, of=COPIERS)

    unflushed = "csync2 flushes no file; lsyncd's delay is 0, its default 15 s"
    starting = "lsyncd compares when it starts, and then only; csync2 with its database, not with the unit"

    files, runs = counts.files, counts.runs
    rows = {
        "settings": (
            row(
                "setting",
                f"one of {counts.settings:,} settings, until durable on both",
                "ms",
                runs,
                unflushed,
            ),
            Row("setting-asked", "  of it the way to the daemon and back", "ms", 1, of=(PRODUCT,)),
            Row("setting-flush", "  of it two flushes of this disk, 16 KiB each", "ms", 1, of=(PRODUCT,)),
            row("setting-octets", "  both ways, a change", "octets"),
        ),
        "voice": (
            row("voice-first", f"first copy of {files:,} voice files", "ms", 1, unflushed),
            row("voice-first-octets", "  both ways", "octets"),
            row("voice-same", "nothing changed: CPU of the Master (client)", "ms", runs, starting),
            Row("voice-same-backup", "  CPU of the Backup, when it compares", "ms", runs, of=(PRODUCT,)),
            row("voice-same-octets", "  both ways", "octets", runs),
            row("voice-some", "10 new and 5 changed", "ms", runs),
            row("voice-some-octets", "  both ways", "octets", runs),
            row("voice-moved", "100 moved", "ms"),
            row("voice-moved-octets", "  both ways", "octets"),
        ),
    }
    return Section(OFFICE, [], {name: {one.key: one for one in group} for name, group in rows.items()})


def _serving(counts: Counts) -> Section:
    """What phones notice of a power cut."""

    wanted, ours = counts.serving, (PRODUCT,)
    rows = {
        "service": Row("sip-service", "2,000 phones: SIP service after its address", "ms", wanted),
        "rows": Row("sip-rows", "  of it until they are written for Kamailio", "ms", wanted, of=ours),
        "lost": Row("sip-lost", f"  calls lost of {counts.calls} that were up", "", wanted),
        "memory": Row("sip-memory", "  all processes of the new Master: proportional share", "MiB", wanted),
        "daemon": Row("sip-daemon", "  its daemon: resident", "MiB", wanted, of=ours),
    }
    return Section(SERVING, [], {"telephony": rows})
