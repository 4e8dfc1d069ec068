# SPDX-License-Identifier: Apache-2.0
"""What is measured, in which order and how often: the rows of the table, by setting."""

from dataclasses import dataclass, field

from . import takeover
from .figures import PRODUCT, RSYNC, Row
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


QUICK = Counts(
    slow=2, fast=4, kill_all=1, slices=2, slice_s=3.0, floods=1, starts=10, commits=200, runs=2, serving=1
)


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


def sections(counts: Counts, chosen: str = "") -> list[Section]:
    """The whole plan, or what is in it under the keys of `chosen` (separated by commas)."""
    keys = {key.strip() for key in chosen.split(",") if key.strip()}
    planned = _planned(counts)
    for section in planned:
        section.trials = [t for t in section.trials if not keys or keys & {r.key for r in t.rows.values()}]
        section.loads = {
            name: rows
            for name, rows in section.loads.items()
            if not keys or keys & {row.key for row in rows.values()}
        }
    return [section for section in planned if section.rows]


def _planned(counts: Counts) -> list[Section]:
    def cut(setting: Setting, wanted: int) -> Trial:
        key = f"cut-{setting.name.split(' ', 1)[1].replace(' ', '')}"
        row = Row(key, f"power cut of the Master, {setting.name}: silence", "ms", wanted)
        return Trial(takeover.power_cut, {"silence": row})

    slow = counts.slow
    default = Section(
        DEFAULT,
        [
            Trial(
                takeover.release,
                {"silence": Row("release", "planned release (swap; SIGTERM): silence", "ms", slow)},
            ),
            Trial(
                takeover.kill,
                {
                    "silence": Row("kill", "kill -9 of the daemon (VRRP process): silence", "ms", slow),
                    "takeover": Row("kill-takeover", "  until the other is Master", "ms", slow),
                },
            ),
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
                    ),
                    "takeover": Row(
                        "kill-all-takeover", "  until the other is Master", "ms", counts.kill_all
                    ),
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
            "status": {"status": Row("status", "`qx status`", "ms", counts.starts, of=(PRODUCT,))},
        },
    )
    fastest = Section(
        FASTEST,
        [cut(FASTEST, counts.fast)],
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


def _crossing(counts: Counts) -> Section:
    """What crosses to the Backup, beside rsync."""

    def row(key: str, name: str, unit: str, wanted: int = 1) -> Row:
        return Row(key, name, unit, wanted, of=(PRODUCT, RSYNC))

    files, runs = counts.files, counts.runs
    rows = {
        "settings": (
            row("setting", f"one of {counts.settings:,} settings, until durable on both", "ms", runs),
            Row("setting-asked", "  of it the way to the daemon and back", "ms", 1, of=(PRODUCT,)),
            Row("setting-flush", "  of it two flushes of this disk, 16 KiB each", "ms", 1, of=(PRODUCT,)),
            row("setting-octets", "  both ways, a change", "octets"),
        ),
        "voice": (
            row("voice-first", f"first copy of {files:,} voice files", "ms"),
            row("voice-first-octets", "  both ways", "octets"),
            row("voice-same", "nothing changed: CPU of the Master (client)", "ms", runs),
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
