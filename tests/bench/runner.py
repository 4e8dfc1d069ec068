# SPDX-License-Identifier: Apache-2.0
"""Runs the plan on one lab: the contestants in turn, each turn a pair from its cold boots to power off."""

import random
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from board.lab.namespace import LabError
from board.lab.pair import Lab
from board.lab.probe import Probe

from qx.errors import Refusal

from . import crossing, csync2, load, lsyncd, rsync, takeover, telephony, wear
from .adverts import Adverts
from .csync2 import CSYNC2
from .figures import FRR, KEEPALIVED, PRODUCT, RSYNC, Row, Sample, contestants, summary, turns
from .frr import Frr
from .keepalived import Keepalived
from .lsyncd import LSYNCD
from .pair import Contestant, Pair
from .plan import Counts, Section, Trial
from .product import Product
from .setting import Setting

Say = Callable[[str], None]

# Those that run on the product's pair.
_GUESTS = {RSYNC: rsync.commands, CSYNC2: csync2.commands, LSYNCD: lsyncd.commands}


class Runner:
    """The lab is up, with both units off. `commands` keeps what was configured and started.

    `folder` is for what is measured, `reachable` (empty) for peers that give up root.
    """

    def __init__(
        self, lab: Lab, folder: Path, reachable: Path, counts: Counts, chance: random.Random, say: Say
    ) -> None:
        self._lab = lab
        self._folder = folder
        self._counts = counts
        self._chance = chance
        self._say = say
        self._turn = 0
        self._contestants: dict[str, Contestant] = {
            PRODUCT: Product(lab),
            KEEPALIVED: Keepalived(lab, folder / "keepalived"),
            FRR: Frr(lab, reachable),
        }
        self._starts: dict[str, list[float]] = {who: [] for who in self._contestants}
        self.commands: dict[str, dict[str, list[str]]] = {}

    def run(self, section: Section) -> None:
        """Fills the rows of a section."""
        told = self.commands[section.setting.name] = {}
        for who in contestants(section.rows):
            if who in self._contestants:
                one = self._contestants[who]
                one.prepare(section.setting)
                told[who] = [*one.commands("a"), *one.configuration().splitlines()]
            else:
                told[who] = _GUESTS[who]()
        with Adverts(self._lab.network.name("pc")) as adverts:
            self._trials(section, adverts)
            for name, rows in section.loads.items():
                if name in ("settings", "voice"):
                    self._crossing(name, rows, self._pair(PRODUCT, section.setting, adverts))
                    continue
                for who, _ in turns(list(rows.values())):
                    self._load(name, rows, who, self._pair(who, section.setting, adverts))

    def _pair(self, who: str, setting: Setting, adverts: Adverts) -> Pair:
        return Pair(self._lab, self._contestants[who], setting, adverts, self._starts[who])

    # ── trials ──

    def _trials(self, section: Section, adverts: Adverts) -> None:
        trials = {trial.lead.key: trial for trial in section.trials}
        for who, lacking in turns([trial.lead for trial in section.trials]):
            self._turn += 1
            pair = self._pair(who, section.setting, adverts)
            due = [trials[row.key] for row in lacking]
            try:
                probe = takeover.probed(pair)
            except LabError as error:
                for trial in due:
                    self._add(trial, who, None, str(error))
                pair.end()
                continue
            try:
                for trial in due:
                    self._trial(pair, probe, trial, who)
            finally:
                with suppress(LabError):
                    probe.stop()
            pair.end()

    def _trial(self, pair: Pair, probe: Probe, trial: Trial, who: str) -> None:
        try:
            seen = takeover.happen(pair, probe, trial.event, self._chance, trial.wait_for_one)
        except LabError as error:
            self._add(trial, who, None, str(error))
        else:
            self._add(trial, who, seen, "")

    def _add(self, trial: Trial, who: str, seen: takeover.Seen | None, failed: str) -> None:
        for figure, row in trial.rows.items():
            sample = seen.sample(figure) if seen else Sample(failed=failed)
            row.add(who, sample)
        lead = trial.lead
        last = lead.samples[who][-1]
        told = f"{last.value:.1f} {lead.unit}"
        if last.spoilt or last.failed:
            told = f"spoilt ({last.spoilt}), repeated" if last.spoilt else f"FAILED: {last.failed}"
        self._say(f"{who:<10} {lead.name} {len(lead.values(who))}/{lead.wanted}: {told}")

    # ── loads ──

    def _load(self, name: str, rows: dict[str, Row], who: str, pair: Pair) -> None:
        try:
            found = self._measure(name, pair)
        except (LabError, ProcessLookupError) as error:
            found = {figure: [Sample(failed=str(error))] for figure in rows}
        for figure, row in rows.items():
            if who not in row.of:
                continue
            for sample in found[figure]:
                row.add(who, sample)
            told = ", ".join(sample.failed or f"{sample.value:.2f}" for sample in found[figure][:6])
            self._say(f"{who:<10} {row.name.strip()}: {told} {row.unit}")
        if name != "listening":
            pair.end()

    def _crossing(self, name: str, rows: dict[str, Row], pair: Pair) -> None:
        """Both are measured on one pair: what the product copies is what rsync copies."""
        counts, folder = self._counts, self._folder / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        try:
            if name == "settings":
                found = crossing.settings(pair, folder, counts.settings, counts.commits, counts.runs)
            else:
                found = crossing.voice(pair, folder, counts.files, counts.runs)
        except (LabError, Refusal, ProcessLookupError) as error:
            found = {key: {PRODUCT: [Sample(failed=str(error))]} for key in rows}
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            pair.end()
        for key, row in rows.items():
            for who, samples in found[key].items():
                for sample in samples:
                    row.add(who, sample)
                told = summary(row.values(who))
                self._say(
                    f"{who:<10} {row.name.strip()}: {f'{told.median:.2f}' if told else 'FAILED'} {row.unit}"
                )

    def _measure(self, name: str, pair: Pair) -> dict[str, list[Sample]]:
        counts = self._counts
        match name:
            case "idle":
                return load.idle(pair, counts.slices, counts.slice_s)
            case "memory":
                return load.memory(pair)
            case "flood":
                return {figure: [sample] for figure, sample in load.flood(pair, counts.packets).items()}
            case "wear":
                return self._worn(pair)
            case "telephony":
                return telephony.power_cut(pair, counts.calls)
            case "listening":
                return {"listening": load.listening(pair)}
            case _:
                return {"status": load.status_starts(pair, counts.starts)}

    def _worn(self, pair: Pair) -> dict[str, list[Sample]]:
        folder = self._folder / "wear"
        folder.mkdir()
        try:
            return wear.idle(pair, self._counts.day_s, folder)
        finally:
            shutil.rmtree(folder)


def spoken(began: float) -> Say:
    """Progress on the terminal: seconds since the start of the run before each line."""

    def say(text: str) -> None:
        print(f"{time.monotonic() - began:6.0f} s  {text}", flush=True)

    return say
