# SPDX-License-Identifier: Apache-2.0
"""The schema and the types of settings: each limit at, below and above (R2, Models, Bad input)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qx.model import MODELS
from qx.settings.check import BadSettings, read_changes
from qx.settings.schema import SCHEMA, Key, Schema, Setting
from qx.settings.values import Address, BadValue, Choice, Flag, Host, Seconds, Servers, Text, Whole, accept
from qx.settings.view import Settings

QX200 = Settings(MODELS["qx200"])
QX2000 = Settings(MODELS["qx2000"])


def read(path: str, text: str, of: Settings = QX200) -> object:
    return read_changes(of, {path: text})[path]


@pytest.mark.parametrize(
    ("path", "good", "bad"),
    [
        ("redundancy.enabled", ["true", "false"], ["True", "1", "yes", ""]),
        (
            "redundancy.group_id",
            ["1", "255"],
            ["0", "256", "-1", "+5", "1.0", "٣", "", " 5", "1_0", "9" * 5000],
        ),
        (
            "redundancy.virtual_ip",
            ["10.77.0.1/24", "10.0.0.1/8", "10.0.0.1/30", ""],
            [
                "10.77.0.1",
                "10.77.0.1/7",
                "10.77.0.1/31",
                "10.77.0.256/24",
                "10.77.0/24",
                "10.77.0.1/255.255.255.0",
                "::1/64",
                "a/24",
                "10.77.0.01/24",
                "10.77.0.1/024",
                "dhcp",
            ],
        ),
        ("redundancy.peer_virtual_ip", ["10.77.0.2", ""], ["10.77.0.2/24", "10.77.0", "peer", "167772161"]),
        ("redundancy.sync_interval", ["1", "60", "86400"], ["0", "86401", "1.5"]),
        ("redundancy.backup_gui_port", ["1", "7777", "65535"], ["0", "65536"]),
        ("redundancy.backup_mode", ["active", "passive"], ["Active", "none", ""]),
        ("redundancy.vrrp_version", ["2", "3"], ["1", "4"]),
        (
            "redundancy.advertisement_interval",
            ["0.01", "1", "40.95", "255"],
            ["0", "0.00", "0.001", "0.009", "255.01", "-1", "1e2", ".5", "1.", "", "nan"],
        ),
        ("redundancy.virtual_mac", ["true"], ["on"]),
        ("redundancy.accept_from", ["auto", "any", "peer"], ["none"]),
        ("redundancy.wan_tracking", ["false"], ["0"]),
        ("network.lan.address", ["10.77.0.100/24", "dhcp"], ["", "pppoe", "10.77.0.100"]),
        ("network.wan.address", ["198.51.100.2/29", "dhcp", "pppoe", ""], ["static"]),
        (
            "network.dns",
            ["", "9.9.9.9", "1.1.1.1,9.9.9.9,8.8.8.8"],
            ["dns.example", "1.1.1.1,", "1.1.1.1,1.1.1.1", "1.1.1.1,9.9.9.9,8.8.8.8,8.8.4.4"],
        ),
        (
            "network.ntp",
            ["", "pool.example,10.0.0.1", "a,b,c,d"],
            ["a,b,c,d,e", "-a", "a..b", "1.2.3", "a b"],
        ),
        ("phone_reboot.policy", ["unreachable", "all", "none"], ["some"]),
        ("phone_reboot.pace", ["0.1", "1", "60"], ["0.09", "60.01"]),
    ],
)
def test_each_setting_takes_its_range_and_names_itself_otherwise(
    path: str, good: list[str], bad: list[str]
) -> None:
    """R2: every field at, below and above its limits; Bad input names the field and what was expected."""
    for text in good:
        value = read(path, text)
        setting = SCHEMA.find(path)
        assert setting is not None
        assert setting.type.text(value) == text  # prints what it read
        assert value is None or accept(setting.type, value) == value
    for text in bad:
        with pytest.raises(BadSettings) as caught:
            read(path, text)
        line = str(caught.value)
        assert line.startswith(f"{path}: ")
        assert "expected " in line
        assert len(line) < 300
        assert "\n" not in line


def test_defaults_are_those_of_the_guide() -> None:
    """R2, Models: default values, and the LAN address by model."""
    assert QX200.flag("redundancy.enabled") is False
    assert QX200.number("redundancy.sync_interval") == 60
    assert QX200.number("redundancy.backup_gui_port") == 7777
    assert QX200.text("redundancy.advertisement_interval") == "1"
    assert QX200.number("redundancy.vrrp_version") == 2
    assert QX200.flag("redundancy.virtual_mac")
    for name, address in (
        ("qx50", "172.30.0.1/24"),
        ("qx2000", "192.168.0.200/24"),
        ("qxisdn4+", "172.30.0.1/24"),
    ):
        assert Settings(MODELS[name]).text("network.lan.address") == address


@pytest.mark.parametrize(
    "path", ["redundancy.backup_gui_port", "network.wan.address", "redundancy.wan_tracking"]
)
def test_a_model_without_it_refuses_by_name(path: str) -> None:
    """Models: the QX2000 has no WAN port and no Backup Device GUI Access Port."""
    with pytest.raises(BadSettings, match=f"{path}: not on the QX2000"):
        read(path, "1", QX2000)
    assert QX2000[path] is None
    assert path not in list(QX2000.paths())
    assert path in list(QX200.paths())


@pytest.mark.parametrize(
    ("path", "near"),
    [
        ("redundancy.group", "redundancy.group_id"),
        ("group_id", "redundancy.group_id"),
        ("redundancy.virtual_ipp", "redundancy.virtual_ip"),
        ("network.lan.adress", "network.lan.address"),
    ],
)
def test_an_unknown_path_is_named_with_near_ones(path: str, near: str) -> None:
    """Bad input: a mistyped path is told what it may have meant."""
    with pytest.raises(BadSettings) as caught:
        read(path, "1")
    assert str(caught.value).startswith(f"{path}: unknown setting; near it: ")
    assert near in str(caught.value)


def test_every_bad_field_of_a_transaction_is_named() -> None:
    """Bad input: all errors at once, on one line."""
    with pytest.raises(BadSettings) as caught:
        read_changes(QX200, {"redundancy.group_id": "0", "redundancy.virtual_mac": "x", "nonsense": "1"})
    assert [error.path for error in caught.value.errors] == [
        "redundancy.group_id",
        "redundancy.virtual_mac",
        "nonsense",
    ]


def test_scopes_follow_r13() -> None:
    """R13: the unit's own stay, pair parameters are known as such, the rest is shared."""
    own = {
        "redundancy.enabled",
        "redundancy.virtual_ip",
        "redundancy.peer_virtual_ip",
        "redundancy.backup_mode",
    }
    pair = {
        "redundancy.group_id",
        "redundancy.vrrp_version",
        "redundancy.advertisement_interval",
        "redundancy.virtual_mac",
        "network.lan.address",
        "network.wan.address",
    }
    by_scope: dict[str, set[str]] = {"unit": set(), "pair": set(), "shared": set()}
    for setting in SCHEMA.on(MODELS["qx200"]):
        by_scope[setting.scope].add(setting.path)
    assert by_scope["unit"] == own
    assert by_scope["pair"] == pair
    assert "redundancy.sync_interval" in by_scope["shared"]


def test_every_default_is_a_valid_value() -> None:
    """The schema does not contradict itself."""
    for model in MODELS.values():
        for setting in SCHEMA.on(model):
            value = setting.default_for(model)
            assert value is None or accept(setting.type, value) == value
            assert setting.title
            assert setting.help.endswith(".")


@settings(max_examples=200)
@given(st.integers(1, 25500))
def test_intervals_are_kept_exactly(centiseconds: int) -> None:
    """R2: intervals are decimal seconds in hundredths, without a rounding of floats."""
    kind = Seconds(1, 25500)
    assert kind.parse(kind.text(centiseconds)) == centiseconds
    assert round(float(str(kind.json(centiseconds))) * 100) == centiseconds


@settings(max_examples=300)
@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Bad input: no text makes a type raise anything but BadValue, and what is read is printed alike."""
    for kind in (
        Flag(),
        Whole(0, 9),
        Seconds(1, 9),
        Choice(("a", "b")),
        Text(0, 9),
        Address(("dhcp",)),
        Host(),
        Servers(3, names=True),
    ):
        try:
            value = kind.parse(text)
        except BadValue as error:
            assert str(error)
        else:
            assert kind.parse(kind.text(value)) == value


@pytest.mark.parametrize("value", [True, 1.0, "1", (1,), None, 300])
def test_a_plain_value_of_another_type_is_refused(value: object) -> None:
    """Bad input: values in plain form (peer, file) are judged like text; true is no 1."""
    with pytest.raises(BadValue):
        accept(Whole(1, 255), value)  # type: ignore[arg-type]


def test_a_one_is_no_true() -> None:
    """Bad input: types are kept apart also where Python holds their values equal."""
    with pytest.raises(BadValue):
        accept(Flag(), 1)
    assert accept(Flag(), True) is True


def test_keyed_tables_hold_rows() -> None:
    """Seam of the next issue: a path with a key, its own rules for the key, rows listed in order."""
    schema = Schema(
        [
            Setting("extensions.<number>.name", Text(1, 40), "", "Name", "Shown.", "shared"),
            Setting(
                "extensions.<number>.password", Text(4, 40), None, "Password", "Kept.", "shared", secret=True
            ),
        ],
        {"<number>": Key("[0-9]{2,6}", "2 to 6 digits")},
    )
    some = Settings(MODELS["qx50"], {"extensions.102.name": "Bo", "extensions.101.name": "Al"}, schema)
    assert list(some.paths("extensions")) == ["extensions.101.name", "extensions.102.name"]
    assert list(some.paths("extensions.101")) == ["extensions.101.name"]
    assert some["extensions.101.name"] == "Al"
    assert read_changes(some, {"extensions.7001.name": "Cy"}) == {"extensions.7001.name": "Cy"}
    with pytest.raises(BadSettings, match=r"extensions\.x\.name: unknown setting"):
        read_changes(some, {"extensions.x.name": "Cy"})
    with pytest.raises(BadSettings) as caught:
        read_changes(some, {"extensions.101.password": "abc"})
    assert "abc" not in str(caught.value)  # a secret is not echoed either
