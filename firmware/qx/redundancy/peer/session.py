# SPDX-License-Identifier: Apache-2.0
"""session: the one session between the two units: pairs them, keeps them connected, tells what it sees.

It has no role: the unit with the lower Virtual IP Address listens and the other calls, and the session lives
through every change of roles. Two ports: on one everybody must hold the pinned certificate (mutual TLS 1.3),
on the other the one exchange of pairing is made, where only the proof of the pair key counts (R17). The
caller pairs where it has no pin, where either unit waits for a confirmation, and where the session was
refused: the other unit may have lost its pin or have a new certificate.

What crosses is the parts' (part.py). They are started only if the two units are a pair (R5): a unit of
another model, or with keys of another set, stays connected, so that both can show why they are none.

On the daemon's loop, which never waits for a disk: see credentials.py.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from ipaddress import IPv4Address
from typing import Any

from ...identity import Identity
from ...tasks import Tasks
from ...trust.certificate import Certificate
from ...trust.keyring import Keyring
from .answering import Answering
from .backoff import MOST
from .calling import Calling
from .credentials import Credentials
from .door import Place
from .hello import Comparison, Mismatch, PeerHello, bound, compare
from .link import Link
from .message import SESSION, BadMessage
from .part import Part
from .refusals import Refusals
from .secured import reason
from .talk import End
from .told import Down, Mismatched, Paired, Refused, Said, Told, Up
from .wire import FLUSH

log = logging.getLogger("qx.peer")

NO_PLACE = "no Virtual IP Addresses are set"
AGAIN = 1.0  # seconds after an error that nobody foresaw
# Of refusals.REASONS: keys that are not for each other, and what is shown of the other unit's.
KEYS = {"serial": "of another serial number", "proof": "not of our set"}
CLAIMED = 3 * MOST  # seconds for which that is shown after the last attempt
COUNTED = ("sessions", "goodbyes", "broken", "pairings", "octets_sent", "octets_received")


class Session:
    """The session of one daemon. Made on the loop; nothing happens before `place()`. `told` is called on the
    loop and must not wait; it may call back."""

    def __init__(
        self,
        identity: Identity,
        firmware: str,
        keyring: Keyring,
        certificate: Certificate,
        parts: Sequence[Part],
        told: Callable[[Told], None],
        language: str = "",
    ) -> None:
        self.credentials = Credentials(keyring, certificate, self._tell)
        self._told, self._parts = told, tuple(parts)
        self._kinds: dict[int, Part] = {}
        for part in parts:
            if not set(part.kinds).isdisjoint({*self._kinds, *SESSION}):
                raise ValueError(f"part: {part.kinds}; expected kinds that nobody else has")
            self._kinds |= dict.fromkeys(part.kinds, part)
        firsts = tuple(part.kinds.start for part in parts)
        self._own = PeerHello(identity.serial, identity.model.name, firmware, language=language, parts=firsts)
        self._place: Place | None = None
        self._task: asyncio.Task[None] | None = None
        self._tasks = Tasks()
        self._nudged = asyncio.Event()
        self._link: Link | None = None
        self._started: list[Part] = []
        self._comparison = Comparison((), True)
        self._heard = -math.inf  # the last octet of the last session
        self._why = NO_PLACE
        self._stranger = ""
        self._claim = ("", -math.inf)  # one of KEYS, and when
        self._refusals = Refusals()
        self._counts: Counter[str] = Counter(dict.fromkeys(COUNTED, 0))

    # --- what the controller sees ---------------------------------------------------------------------------
    @property
    def up(self) -> bool:
        return self._link is not None

    @property
    def pairs(self) -> bool:
        """A session is up and the two units are a pair: the parts are started."""
        return self.up and self._comparison.pairs

    @property
    def peer(self) -> PeerHello | None:
        """What the peer says of itself; None without a session."""
        return self._link.peer if self._link else None

    @property
    def why(self) -> str:
        """Why there is no session, in one line; empty when there is one. Partly what a stranger claims: to be
        shown, never acted on."""
        return "" if self.up else self._why

    @property
    def stranger(self) -> str:
        """Why whoever is at the peer's address was refused for its keys; empty where it was not. Nobody has
        authenticated: it counts for a unit only as long as it was never paired."""
        return self._stranger

    def claims(self) -> list[Mismatch]:
        """That the keys of whoever tries at the peer's address are not for this unit. Nobody has
        authenticated: to be shown, never acted on."""
        name, at = self._claim
        if self.up or asyncio.get_running_loop().time() > at + CLAIMED:
            return []
        return [Mismatch("licence", bound(self.credentials.licences()), KEYS[name])]

    @property
    def heard_s(self) -> float:
        """Seconds since the peer's last octet; infinite if there was none."""
        heard = self._link.wire.last_heard if self._link else self._heard
        return asyncio.get_running_loop().time() - heard

    def mismatches(self) -> list[Mismatch]:
        """In what the two units differ, as of the last session; empty after `keys_changed` until the next."""
        return list(self._comparison.mismatches)

    @property
    def counters(self) -> dict[str, int]:
        """Since the start: COUNTED, and `refused` in all and `refused_…` by each of refusals.REASONS."""
        wire = self._link.wire if self._link else None
        refused = {f"refused_{name}": count for name, count in self._refusals.by_reason.items()}
        counts = {**self._counts, "refused": sum(refused.values()), **refused}
        counts["octets_sent"] += wire.octets_sent if wire else 0
        counts["octets_received"] += wire.octets_received if wire else 0
        return counts

    @property
    def refused_by_source(self) -> dict[str, int]:
        """How often each address was refused; many addresses are counted together as `others`."""
        return dict(self._refusals.by_source)

    # --- what the controller wants --------------------------------------------------------------------------
    def place(self, own: IPv4Address | None, peer: IPv4Address | None) -> None:
        """The two Virtual IP Addresses, whenever they are known or change. None ends the session."""
        place = Place(own, peer) if own and peer and own != peer else None
        if place != self._place:
            self._place = place
            self._restart("moved")
            self._stranger = ""
            self._why = "" if place else NO_PLACE

    def say(self, role: str, mode: str | None, term: int) -> None:
        """What this unit is. Crosses at once when it changes."""
        self._own = replace(self._own, role=role, mode=mode, term=term)
        if self._link:
            self._link.say(self._own)

    def nudge(self) -> None:
        """The peer is there: the next attempt is due now, but not more often than every 0.2 s."""
        self._nudged.set()

    def keys_changed(self) -> None:
        """A key was installed: hellos are exchanged anew, with another peer if the keys name one."""
        self._compared(Comparison((), True))
        self._stranger, self._claim = "", ("", -math.inf)
        self._restart("keys")

    def speak(self, language: str) -> None:
        """Another language pack, or none: hellos are exchanged anew."""
        self._own = replace(self._own, language=language)
        self._restart("language")

    async def confirm_certificate(self) -> bool:
        """Somebody on this unit confirms the changed certificate; false when none waits. Raises Refusal when
        flash refuses."""
        done = await self.credentials.confirm()
        self.nudge()
        return done

    async def close(self, word: str) -> None:
        """Says goodbye, with a word for why, and ends. Takes some two seconds at most."""
        left: set[asyncio.Future[Any]] = {*self._tasks}
        left |= {self._link.gone} if self._link else set()
        left |= {self._task} if self._task else set()
        self._place = None
        self._restart(word)
        if left:
            await asyncio.wait(left, timeout=2 * FLUSH)
        self.credentials.close()

    # --- life -----------------------------------------------------------------------------------------------
    def _restart(self, word: str) -> None:
        if self._link:
            self._link.goodbye(word)
        if self._task:
            self._task.cancel()
        self._task = asyncio.get_running_loop().create_task(self._live(self._place)) if self._place else None

    async def _live(self, place: Place) -> None:
        while True:
            try:
                await (Calling(self, place, self._nudged) if place.calls else Answering(self, place)).run()
            except Exception:  # a fault of ours must not end the pair: in the log, and on
                log.exception("the session to the other unit failed and starts anew")
                await asyncio.sleep(AGAIN)

    # --- host.Host ------------------------------------------------------------------------------------------
    def hello(self) -> PeerHello:
        return replace(self._own, licences=tuple(key.public for key in self.credentials.licences()))

    def trouble(self, why: str) -> None:
        self._why = why

    def refuse(self, source: str, error: Exception) -> None:
        name, text = reason(error)
        self._why = f"{source}: {text}"
        if name in KEYS and self._place and source == str(self._place.peer):
            self._stranger, self._claim = text, (name, asyncio.get_running_loop().time())
        if self._refusals.refused(source, name, asyncio.get_running_loop().time()):
            self._told(Refused(source, name, text))

    def opened(self, link: Link) -> None:
        if self._link:
            self._link.drop("the other unit connected anew")
        peer = link.peer
        assert peer
        self._link, self._stranger = link, ""
        self._counts["sessions"] += 1
        link.say(self._own)  # what has changed since the hello went out
        self._tasks.spawn(self.credentials.settle())
        keys = self.credentials.licences(), self.credentials.read(peer.licences)
        comparison = compare(self._own, peer, *keys)
        self._told(Up(peer, comparison.pairs))
        self._compared(comparison)
        for part in self._parts if comparison.pairs else ():
            if self._link is link and part.kinds.start in peer.parts:
                self._started.append(part)
                part.started(_Channel(link, peer, part.kinds))

    def changed(self, link: Link) -> None:
        if link is self._link and link.peer:
            self._told(Said(link.peer))

    def brought(self, link: Link, kind: int, body: Any) -> None:
        part = self._kinds.get(kind)
        if part is None:
            raise BadMessage(f"message: kind {kind}; expected one of a part that this unit has")
        if link is self._link and part in self._started:
            part.received(kind, body)

    def ended(self, link: Link, end: End) -> None:
        if link is not self._link:
            return
        self._heard, self._link, self._why = link.wire.last_heard, None, end.why
        self._counts["broken" if end.goodbye is None else "goodbyes"] += 1
        self._counts["octets_sent"] += link.wire.octets_sent
        self._counts["octets_received"] += link.wire.octets_received
        while self._started:
            self._started.pop().ended()
        self._told(Down(end))

    # --- within ---------------------------------------------------------------------------------------------
    def _compared(self, comparison: Comparison) -> None:
        before, self._comparison = self._comparison, comparison
        if before.mismatches != comparison.mismatches:
            self._told(Mismatched(comparison.mismatches))

    def _tell(self, told: Told) -> None:
        if isinstance(told, Paired):
            self._counts["pairings"] += 1
        self._told(told)


class _Channel:
    """A link as one part sees it (part.Channel)."""

    def __init__(self, link: Link, peer: PeerHello, kinds: range) -> None:
        self._link, self._peer, self._kinds = link, peer, kinds

    @property
    def peer(self) -> PeerHello:
        return self._link.peer or self._peer

    def send(self, kind: int, body: Any, *, bulk: bool = False) -> None:
        if kind not in self._kinds:
            raise ValueError(f"message: kind {kind}; expected one of {self._kinds}")
        self._link.wire.send(kind, body, bulk=bulk)

    async def room(self) -> None:
        await self._link.wire.room()
