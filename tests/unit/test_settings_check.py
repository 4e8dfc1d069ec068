# SPDX-License-Identifier: Apache-2.0
"""The rules that span several settings, each at, below and above its edge (R2, Words, Bad input)."""

from __future__ import annotations

import pytest

from qx.model import MODELS
from qx.settings.check import BadSettings, read_changes, validate
from qx.settings.view import Settings

PAIR = {
    "redundancy.enabled": "true",
    "redundancy.group_id": "18",
    "redundancy.virtual_ip": "10.77.0.1/24",
    "redundancy.peer_virtual_ip": "10.77.0.2",
    "network.lan.address": "10.77.0.100/24",
}


def after(changes: dict[str, str], model: str = "qx200") -> Settings:
    before = Settings(MODELS[model])
    return validate(before, read_changes(before, changes))


def errors(changes: dict[str, str], model: str = "qx200") -> dict[str, str]:
    with pytest.raises(BadSettings) as caught:
        after(changes, model)
    return {error.path: error.problem for error in caught.value.errors}


def test_the_pair_of_the_contract_is_valid_on_every_model() -> None:
    """R2: the settings of the guide's section 3."""
    for model in MODELS:
        assert after(PAIR, model).flag("redundancy.enabled")


@pytest.mark.parametrize("service", ["10.77.0.100/24", "10.77.0.100/25", "172.30.0.1/24", "10.78.0.1/16"])
def test_a_service_address_may_lie_in_the_virtual_subnet_or_in_another(service: str) -> None:
    """Words: service address; both address plans."""
    assert after(PAIR | {"network.lan.address": service}).text("network.lan.address") == service


@pytest.mark.parametrize("missing", ["redundancy.virtual_ip", "redundancy.peer_virtual_ip"])
def test_enabled_needs_both_virtual_ips(missing: str) -> None:
    """R2: without them there is no pair."""
    changes = {path: text for path, text in PAIR.items() if path != missing}
    assert "not set; expected" in errors(changes)[missing]
    assert after(changes | {"redundancy.enabled": "false"})


@pytest.mark.parametrize(
    "peer", ["10.77.0.1", "10.77.1.2", "10.77.0.0", "10.77.0.255", "127.0.0.1", "224.0.0.18", "0.0.0.0"]
)
def test_the_peers_virtual_ip_is_another_host_of_the_subnet(peer: str) -> None:
    """R2: same subnet, different address."""
    assert "expected" in errors(PAIR | {"redundancy.peer_virtual_ip": peer})["redundancy.peer_virtual_ip"]


@pytest.mark.parametrize("good", ["10.77.0.1/24", "10.77.0.254/24"])
def test_the_edges_of_the_subnet_are_usable(good: str) -> None:
    """R2: first and last host."""
    assert after(PAIR | {"redundancy.virtual_ip": good})


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("10.77.0.0/24", "network address"),
        ("10.77.0.255/24", "broadcast address"),
        ("127.0.0.1/8", "loopback"),
        ("224.0.0.18/24", "multicast"),
        ("0.0.0.1/8", "this network"),
        ("240.0.0.1/8", "reserved"),
    ],
)
@pytest.mark.parametrize("field", ["redundancy.virtual_ip", "network.lan.address", "network.wan.address"])
def test_no_host_can_have_these(field: str, address: str, why: str) -> None:
    """Bad input: addresses that no host can have, by name, with redundancy on or off."""
    assert why in errors({field: address})[field]


@pytest.mark.parametrize(("field", "word"), [("lan", "dhcp"), ("wan", "dhcp"), ("wan", "pppoe")])
def test_service_addresses_are_static_while_redundancy_is_on(field: str, word: str) -> None:
    """Words: DHCP and PPPoE are refused by name while redundancy is on."""
    path = f"network.{field}.address"
    assert errors(PAIR | {path: word})[path].startswith(f"{word}: expected a static")
    assert after({path: word}).text(path) == word


@pytest.mark.parametrize("taken", ["10.77.0.1/24", "10.77.0.2/24"])
def test_a_service_address_is_neither_virtual_ip(taken: str) -> None:
    """Words: the Virtual IP is a second address."""
    assert (
        "expected an address of its own"
        in errors(PAIR | {"network.lan.address": taken})["network.lan.address"]
    )


@pytest.mark.parametrize("edge", ["10.77.0.0/16", "10.77.0.255/16"])
def test_a_service_address_is_not_the_edge_of_the_virtual_subnet(edge: str) -> None:
    """A wider prefix does not make the Virtual IP subnet's broadcast address usable."""
    assert "network.lan.address" in errors(PAIR | {"network.lan.address": edge})


@pytest.mark.parametrize("wan", ["10.77.0.200/24", "10.0.0.1/8", "10.77.0.9/30"])
def test_lan_and_wan_do_not_overlap(wan: str) -> None:
    """Bad input: one subnet on two ports."""
    assert "overlaps" in errors(PAIR | {"network.wan.address": wan})["network.wan.address"]
    assert after(PAIR | {"network.wan.address": "10.77.1.1/24"})


@pytest.mark.parametrize(
    ("gateway", "expected"),
    [
        ("10.77.1.1", "expected an address in 10.77.0.0/24"),
        ("10.77.0.100", "network.lan.address itself"),
        ("10.77.0.255", "broadcast"),
        ("10.77.0.1", "redundancy.virtual_ip"),
        ("10.77.0.2", "redundancy.peer_virtual_ip"),
    ],
)
def test_a_gateway_is_another_host_of_its_subnet(gateway: str, expected: str) -> None:
    """Bad input: in the subnet of its address, and a router."""
    assert expected in errors(PAIR | {"network.lan.gateway": gateway})["network.lan.gateway"]
    assert after(PAIR | {"network.lan.gateway": "10.77.0.254"})


def test_a_gateway_needs_an_address_of_its_port() -> None:
    """Bad input: a WAN gateway without a WAN address."""
    assert "not set" in errors({"network.wan.gateway": "198.51.100.1"})["network.wan.gateway"]
    assert (
        "dhcp"
        in errors({"network.wan.address": "dhcp", "network.wan.gateway": "1.2.3.4"})["network.wan.gateway"]
    )


@pytest.mark.parametrize(
    ("version", "interval", "good"),
    [
        ("2", "1", True),
        ("2", "255", True),
        ("2", "0.99", False),
        ("2", "1.5", False),
        ("2", "0.01", False),
        ("3", "0.01", True),
        ("3", "40.95", True),
        ("3", "40.96", False),
        ("3", "255", False),
    ],
)
def test_the_interval_fits_the_version(version: str, interval: str, good: bool) -> None:
    """R2: version 2 whole seconds 1-255, version 3 0.01-40.95; in one transaction in either order."""
    path = "redundancy.advertisement_interval"
    for changes in (
        {"redundancy.vrrp_version": version, path: interval},
        {path: interval, "redundancy.vrrp_version": version},
    ):
        if good:
            assert after(changes).text(path) == interval
        else:
            assert "expected" in errors(changes)[path]


def test_going_back_to_version_2_names_the_interval() -> None:
    """R2: a valid change can make another field invalid; that field is named and nothing changes."""
    before = after({"redundancy.vrrp_version": "3", "redundancy.advertisement_interval": "0.1"})
    with pytest.raises(BadSettings, match=r"advertisement_interval: 0\.1 in version 2"):
        validate(before, {"redundancy.vrrp_version": 2})
    assert before.number("redundancy.vrrp_version") == 3


@pytest.mark.parametrize("path", ["redundancy.backup_gui_port", "call.sip_port"])
@pytest.mark.parametrize(
    ("port", "good"),
    [("79", True), ("80", False), ("81", True), ("443", False), ("7778", True), ("7779", False),
     ("7780", False), ("7781", False), ("7782", True)],
)  # fmt: skip
def test_a_port_that_the_unit_needs_is_nobodys_to_choose(path: str, port: str, good: bool) -> None:
    """R2, Bad input: one that shut out the session of the pair would be a pair no more."""
    if good:
        assert after({path: port}).number(path) == int(port)
    else:
        assert "expected another port" in errors({path: port})[path]


def test_the_backups_pages_and_sip_are_not_on_one_port() -> None:
    """R2: the one is named whichever of the two was changed; a QX2000 has no such pages."""
    for changes in ({"redundancy.backup_gui_port": "5060"}, {"call.sip_port": "7777"}):
        assert "call.sip_port" in errors(changes)["redundancy.backup_gui_port"]
    assert after({"redundancy.backup_gui_port": "5060", "call.sip_port": "5062"})
    assert after({"call.sip_port": "7777"}, "qx2000").number("call.sip_port") == 7777


def test_name_servers_are_hosts() -> None:
    """Bad input: multicast is no DNS server, the unit itself may be."""
    assert "multicast" in errors({"network.dns": "224.0.0.1"})["network.dns"]
    assert after({"network.dns": "127.0.0.1"})


def test_plain_values_are_judged_by_type() -> None:
    """Bad input from the peer or a file: validate() trusts no plain value."""
    for value in (True, 300, "18", (1,)):
        with pytest.raises(BadSettings, match=r"redundancy\.group_id"):
            validate(Settings(MODELS["qx200"]), {"redundancy.group_id": value})  # type: ignore[dict-item]
