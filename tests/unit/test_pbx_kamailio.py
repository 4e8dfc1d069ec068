# SPDX-License-Identifier: Apache-2.0
"""Kamailio's configuration and tables, made of settings and registrations (R21, R22)."""

import re
from hashlib import md5
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qx import ports
from qx.model import model_named
from qx.pbx import dbtext, gate, kamailio
from qx.pbx.registration import Contact
from qx.settings.values import Plain
from qx.settings.view import Settings

EXTENSIONS: dict[str, Plain] = {
    "network.lan.address": "172.30.0.1/24",
    "extensions.101.password": "one-Secret",
    "extensions.102.password": "other-Secret",
    "extensions.102.forward": "busy",
    "extensions.102.forward_to": "101",
    "extensions.103.name": "no password",
    "extensions.104.password": "third-Secret",
    "extensions.104.enabled": False,
}


def settings(model: str = "qx200", **explicit: Plain) -> Settings:
    return Settings(
        model_named(model), {**EXTENSIONS, **{k.replace("__", "."): v for k, v in explicit.items()}}
    )


def configuration(found: Settings) -> str:
    return kamailio.configuration(found, "/run/qx/kamailio", "ab" * 16)


def rows(table: str) -> list[list[str]]:
    """A db_text table's rows, read by its rules: `:` between columns, `\\` before what is meant itself."""
    plain = {"n": "\n", "r": "\r", "t": "\t", "0": "\0"}
    return [
        [
            re.sub(r"\\(.)", lambda m: plain.get(m[1], m[1]), column)
            for column in re.split(r"(?<!\\)(?:\\\\)*:", line)
        ]
        for line in table.splitlines()[1:]
    ]


def test_it_listens_on_the_service_addresses_alone() -> None:
    """R22: what answers phones is bound to the addresses that move, on both transports."""
    text = configuration(settings(network__wan__address="203.0.113.10/24", call__sip_port=5080))
    assert re.findall(r"^listen=(.*)$", text, re.MULTILINE) == [
        "udp:172.30.0.1:5080", "tcp:172.30.0.1:5080", "udp:203.0.113.10:5080", "tcp:203.0.113.10:5080",
        f"udp:127.0.0.1:{ports.PHONE_RUN}",
    ]  # fmt: skip
    assert "mhomed=1" in text
    assert "mhomed=0" in configuration(settings())


def test_nothing_is_left_open_in_the_configuration() -> None:
    """R21: every place of the template is filled, for every model."""
    for model in ("qx50", "qx200", "qx2000", "qxisdn4+"):
        assert not re.findall(r"@[A-Z_]+@", configuration(settings(model)))


def test_an_address_that_cannot_move_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"network\.lan\.address: expected a static address"):
        configuration(settings(network__lan__address="dhcp"))


def test_no_password_is_written() -> None:
    """R21: what stands in the files is the digest that the challenge needs, never the password."""
    found = settings()
    texts = [configuration(found), *kamailio.tables(found).values()]
    assert not any("Secret" in text for text in texts)
    ha1 = md5(f"101:{kamailio.REALM}:one-Secret".encode()).hexdigest()
    assert ["1", "101", "0", "0", ha1, "0"] in rows(kamailio.tables(found)["users"])


def test_who_may_register_and_who_may_be_called() -> None:
    """R21: without a password nothing registers; one that is not enabled neither registers nor is called."""
    tables = kamailio.tables(settings())
    assert [row[1] for row in rows(tables["users"])] == ["101", "102"]
    assert {row[1]: row[4] for row in rows(tables["extensions"])} == {
        "101": "f=never;r=25",
        "102": "f=busy;t=101;r=25",
        "103": "f=never;r=25",
    }


def test_a_change_of_accounts_needs_no_restart() -> None:
    """R21: extensions are in tables only, so that no call is touched when they change."""
    assert configuration(settings()) == configuration(settings(extensions__105__password="new"))
    assert kamailio.tables(settings()) != kamailio.tables(settings(extensions__105__password="new"))


def test_versions_are_those_that_kamailio_asks_for() -> None:
    assert [row[1:] for row in rows(kamailio.tables(settings())["version"])] == [
        ["users", "2"], ["extensions", "2"], ["location", "9"],
    ]  # fmt: skip


CONTACT = Contact("101", "uloc-1", "sip:101@172.30.0.9:5060;line=a", "", "", 1795416039, "-1", "a:b@c", 2, 0,
                  "udp:172.30.0.1:5060", "Snom\\: 8")  # fmt: skip


def test_a_registration_in_the_table() -> None:
    """R22: contact, expiry and the address it came to, in the columns of usrloc."""
    text = dbtext.location([CONTACT])
    names = [column.partition("(")[0] for column in text.splitlines()[0].split()]
    found = dict(zip(names, rows(text)[0], strict=True))
    assert (found["username"], found["contact"], found["expires"]) == ("101", CONTACT.uri, "1795416039")
    assert (found["socket"], found["callid"], found["user_agent"]) == (CONTACT.socket, "a:b@c", "Snom\\: 8")
    assert found["received"] == found["methods"] == ""  # null


@given(st.text(max_size=40), st.text(max_size=40))
def test_no_text_breaks_a_row(uri: str, agent: str) -> None:
    """Whatever a phone says of itself stays in its column."""
    text = dbtext.location([CONTACT._replace(uri=uri, user_agent=agent), CONTACT])
    kept = text.replace("\x85", "").replace("\u2028", "").replace("\u2029", "")
    for line in kept.split("\n")[1:-1]:
        unescaped = re.sub(r"\\.", "", line)
        assert unescaped.count(":") == 22


def test_the_gate() -> None:
    """R22: closed, datagrams and connections for the service are dropped; open, they are not. No refusal of
    the kernel leaves either way."""
    addresses = [IPv4Address("172.30.0.1"), IPv4Address("203.0.113.10")]
    closed = gate.rules(addresses, 5060, closed=True)
    assert "ip daddr { 172.30.0.1, 203.0.113.10 } udp dport 5060 counter drop" in closed
    assert "ip daddr { 172.30.0.1, 203.0.113.10 } tcp dport 5060 counter drop" in closed
    opened = gate.rules(addresses, 5060, closed=False)
    assert "dport" not in opened
    for text in (closed, opened):
        assert "port-unreachable counter drop" in text
        assert text.startswith(f"table inet {gate.TABLE}\ndelete table inet {gate.TABLE}\n")
    assert "chain" not in gate.rules([], 5060, closed=True)
