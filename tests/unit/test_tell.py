# SPDX-License-Identifier: Apache-2.0
"""R32: what the engine reports, in a user's words."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest
from packets import REASONS, judge, packet

from qx.redundancy.decode import local_from_json
from qx.redundancy.engine import EngineEvent, Kind
from qx.redundancy.tell import report

KEEPALIVED = IPv4Address("10.77.0.66")


def refused(reason: str, surplus: int) -> EngineEvent:
    return EngineEvent(
        kind=Kind.REFUSED, a=REASONS[reason], b=surplus, address=IPv4Address(0), source=KEEPALIVED,
        mac="", at=0, addresses=0, announced=0,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("reason", "surplus", "words"),
    [
        ("length", 28, "length (keepalived HMAC authentication?)"),
        ("length", 4, "length"),
        ("length", -8, "length"),
        ("ttl", 0, "ttl"),
    ],
)
def test_a_refused_advertisement_is_told_with_its_reason(reason: str, surplus: int, words: str) -> None:
    """R3: and with who may have sent it, where its length betrays that."""
    told = report(refused(reason, surplus), was_master=False)
    assert told is not None
    assert told.name == "Advertisement refused"
    assert told.description == f"{words}, from {KEEPALIVED}; further ones are counted"


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("surplus", [1, 4, 28])
def test_the_ladder_counts_what_is_too_much(version: int, surplus: int) -> None:
    """R3: octets beyond the list (and version 2's authentication data); 0 for any other reason."""
    group = local_from_json({})
    assert judge(packet(version=version, trailing=bytes(surplus)), group).keep.verdict.surplus == surplus
    assert judge(packet(version=version, keep=8), group).keep.verdict.surplus == (-12 if version == 2 else -4)
    for data in (packet(version=version), packet(version=version, trailing=bytes(surplus), ttl=1)):
        assert judge(data, group).keep.verdict.surplus == 0
