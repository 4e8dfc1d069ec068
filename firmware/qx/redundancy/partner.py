# SPDX-License-Identifier: Apache-2.0
"""partner: the other unit, as far as the session goes: the session, and the parts that take part in it.

Joins peer.session with synchronisation and with what the two units agree on, tells the parts which of the two
leads, and turns what they report into events. Nothing here decides about roles.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .. import __version__ as FIRMWARE
from ..errors import Refusal
from ..events.log import Severity
from ..settings.lineage import Action, Decision
from ..settings.position import Position
from ..sync.conflicts import Conflicts
from ..sync.lately import Lately
from ..sync.live import LiveState
from ..sync.settings import SettingsSync
from ..sync.voice.part import VoiceSync
from ..trust.certificate import own_certificate
from ..upgrade.language import kept
from . import swap
from .agreement import Agreement, Answer
from .peer.hello import UNPAIRING, Mismatch, PeerHello, newer
from .peer.part import Part
from .peer.session import Session
from .peer.told import CertificateChanged, Down, Mismatched, Paired, Refused, Said, Told, Up
from .role import Role

if TYPE_CHECKING:
    from .pair import Own
    from .plan import Plan

log = logging.getLogger("qx.redundancy")


class Partner:
    def __init__(self, unit: Own, answering: Mapping[str, Answer], more: Sequence[Part] = ()) -> None:
        """`answering`: what the other unit may ask, and who answers; `more` take part in the session."""
        self._unit, self._more = unit, more
        self.goodbye = "stop"  # the word with which this unit ends the session
        self.live = LiveState()
        self._agreement = Agreement(answering)
        self.conflicts = Conflicts(unit.paths.conflicts)
        self.voice = VoiceSync(unit.paths, unit.run_in_store, self._event, serial=unit.identity.serial)
        self.settings = SettingsSync(
            unit.run_in_store,
            unit.store,
            self._event,
            conflicts=self.conflicts,
            unit=unit.identity.serial,
            firmware=FIRMWARE,
            applied=unit.came,
            decided=self._decided,
            voice=self.voice.unshared,
            news=unit.look,
            lately=Lately(unit.paths.in_step),
        )
        self.session: Session | None = None
        self._reconciling: asyncio.TimerHandle | None = None

    # --- life ---------------------------------------------------------------------------------------
    async def open(self) -> None:
        """Reads the unit's certificate, or makes it. Without one there is no session; an event says so."""
        unit = self._unit
        try:
            certificate = await unit.run_in_keyring(
                lambda _: own_certificate(unit.paths.trust, unit.identity.serial)
            )
        except Refusal as error:
            unit.events.add("critical", "No session to the other unit", str(error))
            log.error("%s", error)
            return
        parts = (self.settings, self.voice, self.live, self._agreement, *self._more)
        self.session = Session(
            unit.identity, FIRMWARE, unit.keyring, certificate, parts, self._told, await self._language()
        )
        await self.voice.open()
        self._reconcile()

    async def _language(self) -> str:
        """The language pack of this unit, as the other one is told."""
        unit = self._unit
        try:
            found = await unit.run_in_keyring(lambda _: kept(unit.paths, unit.board, FIRMWARE))
        except Refusal as error:
            unit.events.add("warning", "Language pack cannot be used", str(error), "Language")
            return ""
        return found.title if found else ""

    def speaks(self, language: str) -> None:
        if self.session:
            self.session.speak(language)

    async def close(self) -> None:
        if self._reconciling:
            self._reconciling.cancel()
        if self.session:
            await self.session.close(self.goodbye)
        await self.voice.close()
        self.settings.close()

    def place(self, plan: Plan | None) -> None:
        """The addresses of the session; None where this unit is in no group."""
        if self.session:
            own = plan.virtual_ip.ip if plan and plan.virtual_ip else None
            self.session.place(own, plan.peer if plan else None)

    def lead(self, leading: bool | None) -> None:
        """True: this unit's state crosses to the other; False: it takes the other's; None: neither."""
        for part in (self.settings, self.voice, self.live):
            part.role(leading)

    def stand(self, role: Role, mode: str | None, term: int) -> None:
        """What this unit is now: the peer is told."""
        if self.session:
            self.session.say(str(role), mode, term)

    def _reconcile(self) -> None:
        """A full comparison every Synchronization Interval (R15)."""
        interval = self._unit.store.settings.number("redundancy.sync_interval")
        self._reconciling = asyncio.get_running_loop().call_later(interval, self._reconcile)
        self.reconcile()

    def reconcile(self) -> None:
        self.settings.reconcile()
        self.voice.reconcile()

    # --- asking -------------------------------------------------------------------------------------
    @property
    def peer(self) -> PeerHello | None:
        """What the other unit says of itself; None without a session."""
        return self.session.peer if self.session and self.session.up else None

    @property
    def unpaired(self) -> str:
        """Why the peer and this unit are no pair; empty where they are. Of a pair only an authenticated peer
        can say so; a unit that was never paired has nobody else to believe."""
        why = "; ".join(str(one) for one in self.mismatches() if one.parameter in UNPAIRING)
        return why or (self.session.stranger if self.session and self._unit.met is None else "")

    @property
    def in_step(self) -> bool:
        return self.settings.status()["state"] == Action.IN_STEP

    @property
    def ahead(self) -> bool:
        return self.settings.ahead

    def mismatches(self) -> tuple[Mismatch, ...]:
        return tuple(self.session.mismatches()) if self.session else ()

    def claims(self) -> tuple[Mismatch, ...]:
        """What nobody has authenticated: to be shown, never acted on."""
        return tuple(self.session.claims()) if self.session else ()

    async def ask(self, name: str, arguments: dict[str, Any], seconds: float) -> dict[str, Any]:
        return await self._agreement.ask(name, arguments, seconds)

    def offer(self, answers: Mapping[str, Answer]) -> None:
        self._agreement.offer(answers)

    def durable(self, position: Position, seconds: float) -> asyncio.Future[bool]:
        return self.settings.durable(position, seconds)

    async def flush(self, seconds: float) -> None:
        """All that this unit has is on the other's flash. Raises Refusal saying what is not. A unit of older
        firmware takes nothing from a newer one, and is swapped with what it has (R5)."""
        if self.peer is not None and newer(FIRMWARE, self.peer.firmware):
            return
        await self.settings.flush(seconds)
        await self.voice.flush(seconds)

    def allow_deletion(self) -> None:
        if not self.voice.status().get("held"):
            raise Refusal("sync: no deletion is held")
        self.voice.allow_deletion()

    def nudge(self) -> None:
        if self.session:
            self.session.nudge()

    def keys_changed(self) -> None:
        if self.session:
            self.session.keys_changed()

    async def confirm_certificate(self) -> bool:
        if self.session is None:
            raise Refusal("certificate: this unit has none of its own; its events say why")
        return await self.session.confirm_certificate()

    def how_old(self) -> str:
        """The age of this unit's state in words."""
        age = self.settings.status().get("age_s")
        return "its state has no known age" if age is None else f"its state is {age:.0f} s old"

    def status(self) -> dict[str, Any]:
        """{sync, session}, for `qx status`."""
        session = self.session
        return {
            "sync": {**self.settings.status(), "voice": self.voice.status()},
            "session": {
                "up": bool(session and session.up),
                "why": (session.why if session else "this unit has no certificate") or None,
                "role": self.peer.role if self.peer else None,
                "counters": dict(session.counters) if session else {},
            },
        }

    # --- what session and parts tell ----------------------------------------------------------------
    def _event(self, severity: Severity, name: str, description: str) -> None:
        self._unit.events.add(severity, name, description, "Synchronization")

    def _told(self, told: Told) -> None:
        events = self._unit.events
        match told:
            case Up(peer, pairs):
                log.info("session with %s is up%s", peer.serial, "" if pairs else "; the two are no pair")
                self._unit.said()  # a Master that is back already says so now, and not again
            case Down(end):
                log.info("session is over: %s", end)
            case Said():
                self._unit.said()
            case Mismatched(mismatches):
                for one in mismatches:
                    severity: Severity = "critical" if one.parameter in UNPAIRING else "warning"
                    events.add(severity, "Pair mismatch", str(one))
                self._unit.said()
            case Refused(source, _, text):
                events.add("warning", "Connection refused", f"{source}: {text}", "Security")
            case CertificateChanged(serial, fingerprint, own):
                whose = "of this unit" if own else f"of {serial}"
                text = f"{whose}: {fingerprint}; confirm it with `qx licence confirm` on both units"
                events.add("critical", "Certificate changed", text, "Security")
            case Paired(serial, fingerprint):
                events.add("success", "Paired", f"with {serial}, certificate {fingerprint}", "Security")
                self._unit.came(frozenset())  # from now on the peer's advertisements alone count (R2)

    def _decided(self, decision: Decision) -> None:
        """What the role has to resolve."""
        if decision.action == Action.HAND_OVER:
            self._event("warning", "The role goes to the other unit, which has the data", decision.why)
            self._unit.spawn(self._hand_over())

    async def _hand_over(self) -> None:
        try:
            await swap.give(self._unit, flush=False)
        except Refusal as error:  # it is tried again with the next comparison (R15)
            self._event("warning", "The role stays here, without the other unit's data", str(error))
