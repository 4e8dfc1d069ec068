# SPDX-License-Identifier: Apache-2.0
"""The virtual router once more, written from the RFCs' text and not from `cext/fsm.c`, to judge that by.

RFC 3768 6.1, 6.4 (version 2); RFC 5798 6.1, 6.4 and RFC 9568 6.4.3 (version 3). It keeps the RFC's variables
under the RFC's names, has the two timers as two things, and calculates in fractions of a second. What the
RFCs leave open is ours: the address goes before the priority-0 advertisement, and a late Adver_Timer keeps
its rhythm or, when it missed a beat, starts anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import floor

NANO = 10**9


@dataclass
class Router:
    version: int
    priority: int
    preempt_mode: bool
    answers_lower: bool
    primary: bytes  # four octets, network order
    advertisement_interval: Fraction

    state: str = "Initialize"
    master_adver_interval: Fraction = Fraction(0)
    adver_timer: int | None = None  # when it fires, ns
    master_down_timer: int | None = None

    @property
    def skew_time(self) -> Fraction:
        share = Fraction(256 - self.priority, 256)
        return share if self.version == 2 else share * self.master_adver_interval

    @property
    def master_down_interval(self) -> Fraction:
        return 3 * self.master_adver_interval + self.skew_time

    def _set_master_down_timer(self, now: int, wait: Fraction) -> None:
        self.master_down_timer = now + floor(wait * NANO)

    def _set_adver_timer(self, now: int) -> None:
        self.adver_timer = now + floor(self.advertisement_interval * NANO)

    def _to_master(self, now: int) -> list[str]:
        self.state = "Master"
        self.master_down_timer = None
        self.master_adver_interval = self.advertisement_interval
        self._set_adver_timer(now)
        return ["advert", "up", "announce"]

    def _to_backup(self, now: int) -> list[str]:
        self.state = "Backup"
        self.adver_timer = None
        self._set_master_down_timer(now, self.master_down_interval)
        return ["down"]

    # --- the events ---------------------------------------------------------------------------------------
    def startup(self, now: int) -> list[str]:
        if self.state != "Initialize":
            return []
        if self.priority == 255:
            return self._to_master(now)
        self.master_adver_interval = self.advertisement_interval
        self._to_backup(now)
        return []  # it held no address

    def shutdown(self) -> list[str]:
        was, self.state = self.state, "Initialize"
        self.adver_timer = self.master_down_timer = None
        return ["down", "release"] if was == "Master" else []

    def time(self, now: int) -> list[str]:
        if self.master_down_timer is not None and self.master_down_timer <= now:
            return self._to_master(now)
        if self.adver_timer is not None and self.adver_timer <= now:
            due, period = self.adver_timer, floor(self.advertisement_interval * NANO)
            self.adver_timer = due + period if due + period > now else now + period
            return ["advert"]
        return []

    def receive(self, now: int, priority: int, sender: bytes, interval: Fraction) -> list[str]:
        if self.state == "Backup":
            self._receive_as_backup(now, priority, interval)
            return []
        return self._receive_as_master(now, priority, sender, interval) if self.state == "Master" else []

    def _adopt(self, interval: Fraction) -> None:
        # Version 2 gets here with its own interval only: RFC 3768 7.1 discards any other.
        if self.version == 3 and interval > 0:
            self.master_adver_interval = interval

    def _receive_as_backup(self, now: int, priority: int, interval: Fraction) -> None:
        preempts = self.preempt_mode or self.priority == 255
        if priority == 0:
            self._set_master_down_timer(now, self.skew_time)
        elif not preempts or priority >= self.priority:
            self._adopt(interval)
            self._set_master_down_timer(now, self.master_down_interval)

    def _receive_as_master(self, now: int, priority: int, sender: bytes, interval: Fraction) -> list[str]:
        if priority == 0:
            self._set_adver_timer(now)
            return ["advert"]
        if (priority, sender) > (self.priority, self.primary):
            self._adopt(interval)
            return self._to_backup(now)
        return ["advert"] if self.answers_lower else []

    # --- ours ---------------------------------------------------------------------------------------------
    def promote(self, now: int) -> list[str]:
        return [] if self.state == "Master" else self._to_master(now)

    def give_way(self, now: int) -> list[str]:
        return self._to_backup(now) if self.state == "Master" else []
