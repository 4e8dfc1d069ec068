# SPDX-License-Identifier: Apache-2.0
"""phoneplan: which phone is restarted when, after a takeover (R23). Pure: facts in, the next act out.

Under policy `unreachable` every phone is asked first whether it is there (OPTIONS), and one that answers is
left alone; under `all` none is asked. Those to be restarted follow one another at the pace, in the order of
their extensions; one in a call waits for its end, 30 minutes at most. What was restarted a short while
before, in the run of the other unit, is not restarted again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

ASKED_AT_ONCE = 50  # phones that are asked whether they are there
CALL_MOST = 1800.0  # seconds that a phone in a call is waited for
BACK_MOST = 300.0  # seconds in which a phone that restarts registers again
RECENT = 600.0  # seconds in which a phone is not restarted twice


class State(StrEnum):
    WAITING = "waiting"
    ASKED = "asked"
    REACHABLE = "reachable"  # it answered: nothing is to be done
    SENT = "sent"
    REBOOTED = "rebooted"  # it took the order
    BACK = "back"  # and has registered since
    REFUSED = "refused"  # its login or password was changed by hand
    UNSUPPORTED = "unsupported"  # no vendor of the table, or it wants another event
    SILENT = "silent"
    UNREGISTERED = "unregistered"  # no address of it is known
    LEFT = "left"  # not configured by the PBX


MANUAL = (State.REFUSED, State.UNSUPPORTED, State.SILENT, State.UNREGISTERED, State.LEFT)
OVER = (*MANUAL, State.REACHABLE, State.BACK)


@dataclass(slots=True)
class Phone:
    """One phone of the settings, with what its registration tells. `uri` is empty where it has none."""

    mac: str
    extension: str
    name: str
    supported: bool
    enabled: bool = True
    uri: str = ""
    seen: str = ""  # Call-ID of its registration when the run began
    state: State = State.WAITING
    at: float = 0.0  # when the state began
    detail: str = ""

    def set(self, state: State, now: float, detail: str = "") -> None:
        self.state, self.at, self.detail = state, now, detail


class Plan:
    """The run. `phones` in any order; `now` in seconds of one clock throughout."""

    def __init__(self, phones: Iterable[Phone], policy: str, pace: float, now: float) -> None:
        self.phones = sorted(phones, key=lambda phone: (len(phone.extension), phone.extension, phone.mac))
        self._policy, self._pace = policy, pace
        self._began = now
        self._next = now  # when the next may be restarted
        for phone in self.phones:
            if phone.state in (State.REBOOTED, State.BACK) and now - phone.at < RECENT:
                continue
            phone.set(State.WAITING, now)
            if policy == "none":
                phone.set(State.REACHABLE, now)
            elif policy == "all":
                self._judge(phone, now)
            elif not phone.uri:
                phone.set(State.UNREGISTERED, now)

    # --- what to do now -----------------------------------------------------------------------------
    def ask(self, now: float) -> Iterator[Phone]:
        """Phones that are to be asked whether they are there."""
        if self._policy != "unreachable":
            return
        room = ASKED_AT_ONCE - sum(phone.state == State.ASKED for phone in self.phones)
        for phone in self.phones:
            if room > 0 and phone.state == State.WAITING and not phone.detail:
                phone.set(State.ASKED, now)
                room -= 1
                yield phone

    def restart(self, now: float, in_call: Collection[str]) -> Phone | None:
        """The phone that is to be restarted now, if any. `in_call`: extensions that are."""
        if now < self._next:
            return None
        for phone in self.phones:
            if not self._due(phone):
                continue
            if phone.extension in in_call and now - self._began < CALL_MOST:
                continue
            self._next = max(self._next, now - self._pace) + self._pace
            phone.set(State.SENT, now)
            return phone
        return None

    def _due(self, phone: Phone) -> bool:
        return phone.state == State.WAITING and (self._policy == "all" or phone.detail != "")

    def wait(self, now: float) -> float:
        """Seconds until something may be due; 0.5 at most, since calls end at any time."""
        return min(0.5, max(0.0, self._next - now)) or 0.5

    # --- what came ----------------------------------------------------------------------------------
    def there(self, phone: Phone, answered: bool, now: float) -> None:
        """It was asked, and did or did not answer."""
        if answered:
            phone.set(State.REACHABLE, now)
        else:
            phone.set(State.WAITING, now, "does not answer")
            self._judge(phone, now, "does not answer")

    def _judge(self, phone: Phone, now: float, why: str = "") -> None:
        """Can it be restarted at all?"""
        if not phone.enabled:
            phone.set(State.LEFT, now, why)
        elif not phone.uri:
            phone.set(State.UNREGISTERED, now, why)
        elif not phone.supported:
            phone.set(State.UNSUPPORTED, now, why)

    def told(self, phone: Phone, status: int, now: float) -> None:
        """The last answer to the order: a SIP status; 408 for none."""
        if 200 <= status < 300:
            phone.set(State.REBOOTED, now)
        elif status in (401, 403, 407):
            phone.set(State.REFUSED, now, f"SIP {status}")
        elif status in (405, 489, 501):
            phone.set(State.UNSUPPORTED, now, f"SIP {status}")
        else:
            phone.set(State.SILENT, now, f"SIP {status}")

    def registered(self, phone: Phone, call_id: str, now: float) -> None:
        """Its registration's Call-ID now: a phone that started anew has another."""
        if phone.state == State.REBOOTED and call_id and call_id != phone.seen:
            phone.set(State.BACK, now)

    # --- how far it is ------------------------------------------------------------------------------
    def over(self, now: float) -> bool:
        """Nothing more is to be done or to be waited for."""
        return all(
            phone.state in OVER or (phone.state == State.REBOOTED and now - phone.at > BACK_MOST)
            for phone in self.phones
        )

    def manual(self) -> list[Phone]:
        """Those that somebody has to restart by hand."""
        return [phone for phone in self.phones if phone.state in MANUAL]
