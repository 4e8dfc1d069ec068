# SPDX-License-Identifier: Apache-2.0
"""keyring: the feature keys installed on this unit, whom they bind it to, and the peer's pinned certificate.

Keys are written before the name of the peer and rule: a `peer` file that names another, which a power cut
between the two leaves, is made to follow. A unit whose keys are lost knows by that file that it must not run
standalone (R1). Damage is never taken for emptiness; it stands in `damage` until a key is installed anew.

Reading is from memory and of any thread. What writes waits for flash: from a worker thread; of two at once
the second waits for the first. The daemon holds the folder's lock while it lives, so that no command writes
beside it.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any

from ..errors import Refusal
from . import bond, kept, key
from .files import Damaged
from .kept import Peer
from .key import REDUNDANCY, FeatureKey, Licence
from .pairing import Pin, Seen
from .refused import KeyRefused
from .signers import Signers, read_signers

if TYPE_CHECKING:
    from ..board import Board
    from ..identity import Identity
    from ..paths import Paths
    from .secret import Secret

KEYS_MAX = 64


@dataclass(frozen=True, slots=True)
class Installed:
    """What an installation did. `changed` is false when this very key was there."""

    licence: Licence
    changed: bool
    new_peer: bool  # it binds the unit to another peer than before
    removed: tuple[str, ...]  # features that the unit has no longer

    def plain(self) -> dict[str, Any]:
        return {
            "installed": self.licence.plain(),
            "changed": self.changed,
            "new_peer": self.new_peer,
            "removed": list(self.removed),
        }


@dataclass(frozen=True, slots=True)
class _State:
    keys: tuple[FeatureKey, ...] = ()
    refused: tuple[tuple[Secret, str], ...] = ()  # installed keys that are not good, and why
    peer: Peer | None = None
    damage: str = ""


class Keyring:
    """The keys of the unit `identity`. `write` takes the lock for as long as it is open, waiting that many
    seconds for it (raises KeyringBusy then); None opens for reading. Damage raises nothing: see `damage`."""

    def __init__(self, paths: Paths, identity: Identity, board: Board, write: float | None = None) -> None:
        self._folder = paths.trust
        self._serial = identity.serial
        self._lock = -1 if write is None else kept.locked(self._folder, write)
        self._writing = threading.RLock()
        self.trouble = ""  # why the last mending on flash failed; empty when it did not
        self._signers, self._no_signers = Signers({}, False), ""
        try:
            self._signers = read_signers(paths, board)
        except Refusal as error:
            self._no_signers = str(error)
        self._state = self._load()
        self._mend()

    def close(self) -> None:
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def __enter__(self) -> Keyring:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- reading: from memory, of any thread ---------------------------------------------------------------
    @property
    def damage(self) -> str:
        """What is wrong with the files, in one line; empty when nothing is."""
        return self._no_signers or self._state.damage

    @property
    def peer(self) -> str | None:
        """The serial number of the peer that this unit's data names."""
        state = self._state
        return bond.bound_to(state.keys) or (state.peer.serial if state.peer else None)

    @property
    def pin(self) -> Pin:
        peer = self._state.peer
        return peer.pin if peer and peer.serial == self.peer else Pin()

    def permission(self) -> bond.Permission:
        """R1: may this unit join a group, and if not, may it run standalone?"""
        found = self._redundancy()
        why = next((why for _, why in self._state.refused), "")
        licence = found.licence if found else None
        return bond.permission(self.damage, licence, why, self.peer, self._serial)

    def redundancy_allowed(self) -> str | None:
        """Why this unit may not join a group; None when it may."""
        found = self.permission()
        return None if found.allowed else found.why

    def licences(self) -> tuple[Licence, ...]:
        """The public parts of the keys in force: for this unit and its peer. `.public` is for the hello."""
        peer = self.peer
        every = (k.licence for k in self._state.keys)
        return tuple(licence for licence in every if licence.peer == peer and licence.serial == self._serial)

    def pair_secret(self) -> Secret | None:
        """For the session's pairing and nobody else; None when this unit may not join a group."""
        found = self._redundancy()
        return found.pair if found and self.permission().allowed else None

    def read_publics(self, publics: list[bytes]) -> tuple[Licence, ...]:
        """What the public parts in a peer's hello say. One that is not the vendor's, or of a signer or format
        that this firmware does not know, is as if it was not there. See bond.compare."""
        found: list[Licence] = []
        for public in publics[:KEYS_MAX]:
            try:
                found.append(key.read_public(public, self._signers))
            except KeyRefused:
                continue
        return tuple(found)

    def plain(self) -> dict[str, Any]:
        """Of JSON types, for `qx licence` and the pages. Nothing in it is secret."""
        allowed, force = self.permission(), self.licences()
        return {
            "serial": self._serial,
            "peer": self.peer,
            "redundancy": allowed.allowed,
            "why": allowed.why or None,
            "fault": allowed.fault,
            "features": sorted(bond.features(force)),
            "keys": [{**k.licence.plain(), "in_force": k.licence in force} for k in self._state.keys],
            "refused": [why for _, why in self._state.refused],
            "pin": self.pin.plain(),
        }

    # --- writing: from a worker thread ---------------------------------------------------------------------
    def install(self, text: str, today: date | None = None) -> Installed:
        """Installs a key as it was pasted; durable when it returns. Raises KeyRefused by name, and Refusal
        when flash refuses. It takes the place of keys that have no feature but its own."""
        if self._no_signers:
            raise Refusal(self._no_signers)
        with self._writing:
            return self._install(key.read_text(text, self._signers), today or date.today())

    def _install(self, new: FeatureKey, today: date) -> Installed:
        old, peer = self._state, self.peer
        key.judge(new.licence, self._serial, peer, today)
        if any(k.octets == new.octets for k in old.keys) and not old.damage:
            return Installed(new.licence, False, False, ())
        before = bond.features(self.licences())
        keys = (*(k for k in old.keys if not k.licence.features <= new.licence.features), new)
        if len(keys) > KEYS_MAX:
            raise KeyRefused(f"{KEYS_MAX} keys are installed; expected fewer")
        # A redundancy key is in force at once: one that was refused is not missed any more.
        refused = () if REDUNDANCY in new.licence.features else old.refused
        stored = [octets for octets, _ in refused] + [k.octets for k in keys]
        kept.write_keys(self._folder, [octets.reveal() for octets in stored])
        self._state = _State(keys, refused, old.peer)
        self._mend()
        if old.damage:
            self._state = replace(self._state, damage=self._load().damage)
        removed = tuple(sorted(before - bond.features(self.licences())))
        return Installed(new.licence, True, peer not in (None, self.peer), removed)

    def keep_pin(self, pin: Pin) -> None:
        """Stores what pairing found. Raises Refusal when flash refuses, without a peer, and on damage."""
        with self._writing:
            peer = self.peer
            if peer is None or self.damage:
                raise Refusal(self.damage or "pin: expected an installed key that names the peer")
            self._store_peer(Peer(peer, pin))

    def met(self, peer: str, certificate: bytes, confirmed: bool, asked: bool) -> tuple[Pin, Seen]:
        """The unit `peer` has proven itself with this certificate (Pin.seen). Flash is written only where the
        pin changes. Raises as keep_pin does, and Refusal where the keys name another peer by now."""
        with self._writing:
            if peer != self.peer:
                raise Refusal(f"pin: of {peer}; expected {self.peer}, whom the keys name now")
            before = self.pin
            pin, seen = before.seen(certificate, confirmed, asked)
            if pin != before:
                self.keep_pin(pin)
            return pin, seen

    def confirm_certificate(self) -> bool:
        """Somebody on this unit confirms a changed certificate, the peer's or this unit's own, of which the
        peer asks; false when neither waits."""
        with self._writing:
            pin = self.pin
            if pin.waiting is None and not pin.asked:
                return False
            self.keep_pin(pin.confirmed())
            return True

    # --- within --------------------------------------------------------------------------------------------
    def _redundancy(self) -> FeatureKey | None:
        return next((k for k in reversed(self._state.keys) if REDUNDANCY in k.licence.features), None)

    def _load(self) -> _State:
        keys: list[FeatureKey] = []
        refused: list[tuple[Secret, str]] = []
        damage: list[str] = []
        peer = None
        try:
            for octets in kept.read_keys(self._folder):
                try:
                    keys.append(key.read_octets(octets, self._signers))
                except KeyRefused as error:
                    refused.append((key.Secret(octets), str(error)))
        except Damaged as error:
            damage.append(str(error))
        try:
            peer = kept.read_peer(self._folder)
        except Damaged as error:
            damage.append(str(error))
        return _State(tuple(keys), tuple(refused), peer, "; ".join(damage))

    def _store_peer(self, peer: Peer) -> None:
        kept.write_peer(self._folder, peer)
        self._state = replace(self._state, peer=peer)

    def _mend(self) -> None:
        """Makes the peer file follow the redundancy key. Nothing is lost if it fails: it is tried again at
        the next start, and the key itself names the peer meanwhile."""
        found, peer = self._redundancy(), self._state.peer
        if self._lock < 0 or self.damage or not found or (peer and peer.serial == found.licence.peer):
            return
        try:
            self._store_peer(Peer(found.licence.peer, Pin()))
            self.trouble = ""
        except Refusal as error:
            self.trouble = str(error)
