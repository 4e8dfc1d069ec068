# SPDX-License-Identifier: Apache-2.0
"""The sockets between the two units."""

import asyncio
from ipaddress import IPv4Address

import pytest

from qx.redundancy.peer import door

NOWHERE = IPv4Address("192.0.2.7")  # RFC 5737: no unit has it
WORDS = "192.0.2.7: not an address of this unit now; expected it on the LAN port"


def test_an_address_that_is_not_there_is_named_by_who_listens() -> None:
    with pytest.raises(door.NoAddress) as refused:
        door.listening(NOWHERE, 0)
    assert str(refused.value) == WORDS


def test_an_address_that_is_not_there_is_named_by_who_calls() -> None:
    """It is this unit's own that is wrong, not the peer's."""
    place = door.Place(NOWHERE, IPv4Address("127.0.0.1"))
    with pytest.raises(door.NoAddress) as refused:
        asyncio.run(door.called(place, 9))
    assert str(refused.value) == WORDS


def test_other_errors_stay_what_they_are() -> None:
    with door.listening(IPv4Address("127.0.0.1"), 0) as taken, pytest.raises(OSError, match="in use"):
        door.listening(IPv4Address("127.0.0.1"), taken.getsockname()[1])
