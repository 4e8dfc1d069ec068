# SPDX-License-Identifier: Apache-2.0
"""The proof of pairing and the pin that comes of it (R17)."""

from __future__ import annotations

import hashlib
import hmac
import json
import pickle
from dataclasses import replace

import pytest

from qx.packing import pack
from qx.trust.pairing import Exchange, Pin, Role, Seen, fingerprint, nonce, proof, proven, read_pin
from qx.trust.secret import Secret

PAIR = Secret(bytes(range(32)))
EXCHANGE = Exchange(b"\xc1" * 32, b"\x5e" * 32, b"client certificate", b"server certificate")

# HMAC-SHA-256 with key 00 01 … 1f over
#   "qx pairing 1\0" ‖ role ‖ confirmed ‖ c1 × 32 ‖ 5e × 32 ‖ SHA-256(client …) ‖ SHA-256(server …),
# made with the openssl program: openssl dgst -sha256 -mac HMAC -macopt hexkey:…
VECTORS = {
    (Role.CLIENT, False): "42f830063f0c806ee0d09856f65d8fac9fa7a0a789f76c8cb720d292e0f23c5e",
    (Role.CLIENT, True): "7b786fc388b3ad08d11a146f08eef158bc20d9c715a8dc3879a4a540a7f66abc",
    (Role.SERVER, False): "5cb969c6e723ec28ecddbe598e6340929822dc6b1f966b55a0a2a052e164e4de",
    (Role.SERVER, True): "c97e373a8ebe76291f6fe25d175021333051ef13483a8d46908c1fb63c98bd00",
}


@pytest.mark.parametrize(("role", "confirmed"), list(VECTORS))
def test_the_proof_by_vectors(role: Role, confirmed: bool) -> None:
    """R17: HMAC(pair key, role ‖ nonces ‖ both certificate hashes)."""
    got = proof(PAIR, role, EXCHANGE, confirmed)
    assert got.hex() == VECTORS[role, confirmed]
    message = b"qx pairing 1\0" + role.value + bytes([confirmed]) + b"\xc1" * 32 + b"\x5e" * 32
    message += hashlib.sha256(b"client certificate").digest() + hashlib.sha256(b"server certificate").digest()
    assert got == hmac.new(PAIR.reveal(), message, "sha256").digest()
    assert proven(PAIR, role, EXCHANGE, got, confirmed)


def test_nothing_else_is_a_proof() -> None:
    """R17: not of another pair, role, session or certificate, nor with another word on confirmation."""
    good = proof(PAIR, Role.SERVER, EXCHANGE)
    assert not proven(Secret(bytes(32)), Role.SERVER, EXCHANGE, good)
    assert not proven(PAIR, Role.CLIENT, EXCHANGE, good)  # sent back to its maker
    assert not proven(PAIR, Role.SERVER, EXCHANGE, good, confirmed=True)
    for name in ("client_nonce", "server_nonce", "client_certificate", "server_certificate"):
        other = replace(EXCHANGE, **{name: bytes(32)})
        assert not proven(PAIR, Role.SERVER, other, good), name
    swapped = replace(EXCHANGE, client_nonce=EXCHANGE.server_nonce, server_nonce=EXCHANGE.client_nonce)
    assert not proven(PAIR, Role.SERVER, swapped, good)
    for place in range(32):
        changed = good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :]
        assert not proven(PAIR, Role.SERVER, EXCHANGE, changed)
        assert not proven(PAIR, Role.SERVER, EXCHANGE, good[:place])


def test_a_nonce_is_fresh_whole_and_not_ours() -> None:
    """R17: a replayed session is refused."""
    assert len({nonce() for _ in range(100)}) == 100
    same = replace(EXCHANGE, server_nonce=EXCHANGE.client_nonce)
    assert not proven(PAIR, Role.SERVER, same, proof(PAIR, Role.SERVER, same))
    for length in (0, 31, 33):
        short = replace(EXCHANGE, client_nonce=bytes(length))
        assert not proven(PAIR, Role.SERVER, short, b"")
        with pytest.raises(ValueError, match="expected 32 octets"):
            proof(PAIR, Role.SERVER, short)


def test_the_first_certificate_is_pinned_and_stays() -> None:
    pin, seen = Pin().seen(b"one")
    assert (pin, seen) == (Pin(b"one"), Seen.PINNED)
    assert pin.seen(b"one") == (pin, Seen.SAME)


def test_a_changed_certificate_needs_a_hand_on_both_units() -> None:
    """R17: a changed peer certificate needs confirmation on both units, in either order."""
    pin, seen = Pin(b"one").seen(b"two")
    assert seen == Seen.CHANGED
    assert pin == Pin(b"one", b"two")
    here = pin.confirmed()
    assert here == Pin(b"one", b"two", here=True)
    assert here.seen(b"two") == (here, Seen.CHANGED)
    assert here.seen(b"two", confirmed_there=True)[0] == Pin(b"two")
    there, _ = pin.seen(b"two", confirmed_there=True)
    assert there == Pin(b"one", b"two", there=True)
    assert there.confirmed() == Pin(b"two")


def test_a_confirmation_is_for_one_certificate() -> None:
    """R17: what was confirmed for one is not confirmed for the next; the old one back ends the question."""
    here = Pin(b"one", b"two", here=True)
    assert here.seen(b"three")[0] == Pin(b"one", b"three")
    assert here.seen(b"three", confirmed_there=True)[0] == Pin(b"one", b"three", there=True)
    assert here.seen(b"one") == (Pin(b"one"), Seen.SAME)
    assert Pin(b"one").confirmed() == Pin(b"one")
    assert Pin().confirmed() == Pin()


def test_the_unit_whose_own_certificate_changed_is_asked_and_confirms() -> None:
    """R17: the hand on the other unit, which holds nothing for changed itself; and when both have changed."""
    asked, seen = Pin().seen(b"a", asked=True)
    assert (asked, seen) == (Pin(b"a", asked=True), Seen.PINNED)
    assert not asked.settled
    confirmed = asked.confirmed()
    assert confirmed == Pin(b"a", here=True, asked=True)
    assert confirmed.seen(b"a", asked=True)[0] == confirmed  # until the other unit has heard and settled
    assert confirmed.seen(b"a")[0] == Pin(b"a")  # … and then it is no word for the next change
    assert asked.seen(b"a")[0].seen(b"a", asked=True)[0] == asked
    both = Pin(b"one", b"two", asked=True).confirmed()
    assert both.seen(b"two", confirmed_there=True, asked=True)[0] == Pin(b"two", here=True, asked=True)
    assert both.seen(b"two", confirmed_there=True)[0] == Pin(b"two")
    # What was confirmed before a certificate came is no word about it.
    assert confirmed.seen(b"b", asked=True)[0] == Pin(b"a", b"b", asked=True)
    assert confirmed.seen(b"b", asked=False)[0] == Pin(b"a", b"b")


def test_a_pin_is_settled_when_nobody_waits() -> None:
    assert Pin(b"one").settled
    for pin in (Pin(), Pin(b"one", b"two"), Pin(b"one", asked=True), Pin(b"one", b"two", True)):
        assert not pin.settled


def test_a_pin_is_kept_and_shown_by_its_fingerprint() -> None:
    pin = Pin(b"one", b"two", here=True)
    assert read_pin(pin.packed()) == pin
    assert read_pin(Pin(b"one", here=True, asked=True).packed()) == Pin(b"one", here=True, asked=True)
    old = pin.packed()
    del old["asked"]  # of the first firmware
    assert read_pin(old) == pin
    assert pin.plain() == {"pinned": fingerprint(b"one").hex(), "waiting": fingerprint(b"two").hex(),
                           "confirmed_here": True, "confirmed_there": False, "asked": False}  # fmt: skip
    for wrong in (None, {}, {**pin.packed(), "here": None}, {**pin.packed(), "waiting": "text"},
                  {**pin.packed(), "asked": 1}):  # fmt: skip
        with pytest.raises(ValueError, match="pin: "):
            read_pin(wrong)


def test_a_secret_shows_itself_to_nobody() -> None:
    """R17: never shown, logged or written by accident."""
    for said in (repr(PAIR), str(PAIR), f"{PAIR}", f"{PAIR!r:>30}", f"{[PAIR]} {(PAIR,)}", "%s" % PAIR):  # noqa: UP031
        assert "hidden" in said
        assert "\\x0" not in said
        assert "0001" not in said
    for write in (pack, json.dumps, pickle.dumps, hash, bytes):
        with pytest.raises(TypeError):
            write(PAIR)  # type: ignore[operator]
    assert Secret(bytes(range(32))) == PAIR
    assert Secret(bytes(32)) != PAIR
    assert bytes(range(32)) != PAIR
