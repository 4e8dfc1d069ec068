# SPDX-License-Identifier: Apache-2.0
"""Tables of settings: keys, rows, limits by model, and what rows refer to (R2, Models, R34, Bad input)."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from qx.model import MODELS
from qx.settings import document, rules
from qx.settings.check import BadSettings, read_changes, unknown, validate
from qx.settings.groups.telephony import VENDORS
from qx.settings.schema import SCHEMA
from qx.settings.texts import LANGUAGE, MAIL_ADDRESS, PASSWORD_HASH, SERVER, TIME_ZONE, URL, Words
from qx.settings.values import BadValue, Plain, accept
from qx.settings.view import Settings

ROOT = Path(__file__).parents[2]
HASH = "$argon2id$v=19$m=12288,t=3,p=1$c29tZXNhbHRzb21lc2FsdA$" + "A" * 43


def unit(model: str = "qx200", **texts: str) -> Settings:
    return after(Settings(MODELS[model]), texts)


def after(before: Settings, texts: dict[str, str]) -> Settings:
    return validate(before, read_changes(before, texts))


def mac(number: int) -> str:
    return "00:15:65:" + ":".join(f"{number:06x}"[at : at + 2] for at in (0, 2, 4))


def problems(before: Settings, texts: dict[str, str]) -> dict[str, str]:
    with pytest.raises(BadSettings) as caught:
        after(before, texts)
    return {error.path: error.problem for error in caught.value.errors}


@pytest.mark.parametrize(
    ("path", "good", "bad"),
    [
        ("extensions.101.password", ["abcd", "a" * 64, ""], ["abc", "a" * 65, "a bcd", "ümlaut"]),
        ("extensions.101.voicemail_pin", ["1234", "12345678"], ["123", "123456789", "12a4"]),
        ("extensions.101.ring_time", ["5", "120"], ["4", "121"]),
        ("extensions.101.forward_to", ["0", "+49301234", "*21#"], ["a", "+", "1" * 33, "1 2"]),
        ("extensions.101.mail", ["a@b", "a.b+c@example.com"], ["a", "@b", "a@", "a@-b", "a b@c", "a@b\n"]),
        ("phones.00:15:65:00:00:01.vendor", list(VENDORS), ["Yealink", "linksys"]),
        ("phones.00:15:65:00:00:01.transport", ["udp", "tcp", "tls"], ["sctp"]),
        ("call.codecs", ["g722", "pcma,g722"], ["", "g722,g722", "mp3"]),
        ("call.longest", ["0", "1440"], ["1441"]),
        (
            "mail.server",
            ["mail.example.com", "10.0.0.1", ""],
            ["1.2.3", "1.2.3.256", "a..b", "a b", "-a", "a/"],
        ),
        ("mail.port", ["1", "65535"], ["0", "65536"]),
        ("mail.recipients", ["", "a@b", "a@b,c@d"], ["a", "a@b,a@b", "a@b,"]),
        (
            "sms.url",
            ["http://a", "https://gw.example:8443/send?to={number}&text={text}"],
            ["ftp://a", "http://", "http://a b", "https:///x", "http://a/" + "x" * 1024],
        ),
        ("snmp.hosts.noc.port", ["1", "65535"], ["0", "65536"]),
        ("snmp.hosts.noc.auth_password", ["12345678", "x" * 64], ["1234567", "x" * 65]),
        ("events.takeover.actions", ["", "display", "display,led,mail,sms,snmp"], ["none", "mail,mail"]),
        ("users.admin.password", [HASH], ["secret", HASH[:-30], HASH + "x" * 50, HASH.replace("id", "i")]),
        ("users.admin.role", ["administrator", "operator"], ["root"]),
        (
            "time.zone",
            ["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires"],
            ["utc", "../etc", "A/b/C/d"],
        ),
        ("language.pages", ["en", "pt-BR"], ["EN", "english", "e"]),
    ],
)
def test_each_setting_takes_its_range_and_names_itself_otherwise(
    path: str, good: list[str], bad: list[str]
) -> None:
    """R2, Bad input: at, below and above each limit."""
    setting = SCHEMA.find(path)
    assert setting is not None
    for text in good:
        value = read_changes(Settings(MODELS["qx200"]), {path: text})[path]
        assert setting.type.text(value) == text
        assert value is None or accept(setting.type, value) == value
    for text in bad:
        with pytest.raises(BadSettings) as caught:
            read_changes(Settings(MODELS["qx200"]), {path: text})
        line = str(caught.value)
        assert line.startswith(f"{path}: ")
        assert "expected " in line
        assert not setting.secret or text not in line


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("extensions.1.name", "2 to 8 digits"),
        ("extensions.123456789.name", "2 to 8 digits"),
        ("extensions.10a.name", "2 to 8 digits"),
        ("phones.00:15:65:00:00.vendor", "the MAC of a phone"),
        ("phones.01:15:65:00:00:01.vendor", "the MAC of a phone"),  # multicast
        ("phones.00:00:00:00:00:00.vendor", "the MAC of a phone"),
        ("fxo.0.enabled", "a line from 1 to 4"),
        ("fxo.5.enabled", "a line from 1 to 4"),
        ("snmp.hosts.NOC.port", "small letters"),
        ("users.Admin.role", "small letters"),
        ("events.nothing.actions", "an event"),
    ],
)
def test_a_bad_key_is_named_with_what_it_is(path: str, expected: str) -> None:
    """Bad input: a key out of its range."""
    with pytest.raises(BadSettings) as caught:
        read_changes(Settings(MODELS["qx200"]), {path: "1"})
    assert str(caught.value).startswith(f"{path}: unknown setting; expected <")
    assert expected in str(caught.value)


@pytest.mark.parametrize("spelling", ["00-15-65-AA-bb-01", "001565AABB01", "00:15:65:aa:BB:01"])
def test_a_mac_may_be_spelled_as_on_the_phone(spelling: str) -> None:
    """Bad input, kindly: one phone is one row, however its MAC is written."""
    settings = unit(**{f"phones.{spelling}.vendor": "snom"})
    assert settings.rows("phones") == ["00:15:65:aa:bb:01"]
    both = {f"phones.{spelling}.model": "a", "phones.00:15:65:aa:bb:01.model": "b"}
    if spelling != "00:15:65:aa:bb:01":
        assert "second time" in next(iter(problems(settings, both).values()))


@pytest.mark.parametrize("model", list(MODELS))
def test_a_model_takes_its_number_of_phones_and_no_more(model: str) -> None:
    """Models: 50, 200, 2000 and 128 phones: at the limit, above it, and at it again after one has gone."""
    most = MODELS[model].phones
    full = validate(
        Settings(MODELS[model]), {f"phones.{mac(number)}.vendor": "yealink" for number in range(most)}
    )
    assert full.count("phones") == most
    assert after(full, {f"phones.{mac(0)}.model": "T46U"}).count("phones") == most
    said = problems(full, {f"phones.{mac(most)}.vendor": "snom"})
    assert said == {"phones": f"{most + 1} rows; expected at most {most} on the {MODELS[model].title}"}
    less = validate(full, {f"phones.{mac(0)}.vendor": None})
    assert after(less, {f"phones.{mac(most)}.vendor": "snom"}).count("phones") == most
    exchange: dict[str, Plain] = {f"phones.{mac(1)}.vendor": None, f"phones.{mac(most)}.vendor": "snom"}
    assert validate(full, exchange).count("phones") == most  # in one transaction in any order


@pytest.mark.parametrize(("table", "field", "most"), [("snmp.hosts", "port", 8), ("users", "full_name", 32)])
def test_the_other_tables_have_their_limits(table: str, field: str, most: int) -> None:
    """Bad input: at and above."""
    texts = {f"{table}.r{number}.{field}": "7" for number in range(most)}
    full = unit(**texts)
    assert full.count(table) == most
    assert table in problems(full, {f"{table}.more.{field}": "7"})


@pytest.mark.parametrize(
    ("path", "has"),
    [("fxo.1.enabled", {"qx50", "qx200"}), ("isdn.1.enabled", {"qxisdn4+"}), ("call.sip_port", set(MODELS))],
)
def test_lines_are_where_the_model_has_them(path: str, has: set[str]) -> None:
    """Models: FXO on QX50 and QX200, ISDN on the QXISDN4+."""
    for name, model in MODELS.items():
        settings = Settings(model)
        assert (path in list(settings.paths())) == (name in has)
        if name not in has:
            assert settings[path] is None
            with pytest.raises(BadSettings, match=f"not on the {model.title}".replace("+", r"\+")):
                read_changes(settings, {path: "true"})


def test_rows_of_a_fixed_table_are_always_there() -> None:
    """R34: each event has its actions, set or not."""
    settings = Settings(MODELS["qx200"])
    assert settings.words("events.backup-down.actions") == ("display",)
    assert next(iter(settings.paths("fxo.2"))) == "fxo.2.enabled"
    assert list(settings.paths("events.takeover.actions")) == ["events.takeover.actions"]
    assert len(list(settings.paths("events"))) == len(settings.rows("events"))


def test_a_row_is_there_when_a_field_of_it_is() -> None:
    """A row comes with its first field and goes with its last."""
    settings = unit(**{"extensions.101.name": "Al", "extensions.102.name": "Bo"})
    assert settings.rows("extensions") == ["101", "102"]
    assert list(settings.paths("extensions.101")) == ["extensions.101.name"]
    assert list(settings.paths("extensions.101.ring_time")) == ["extensions.101.ring_time"]
    assert list(settings.paths("extensions.103.name")) == []
    assert "not found; expected one of the 2 rows" in str(unknown(settings, "extensions.103.name"))
    assert validate(settings, {"extensions.101.name": None}).rows("extensions") == ["102"]


@pytest.mark.parametrize("path", [f"phones.{mac(1)}.extension", "fxo.1.extension"])
def test_what_a_row_refers_to_must_exist_and_stays(path: str) -> None:
    """Bad input: an extension that is not there, or that goes while something rings it."""
    assert "an extension that exists" in problems(unit(), {path: "101"})[path]
    settings = unit(**{path: "101", "extensions.101.name": "Al"})  # in one transaction in any order
    with pytest.raises(BadSettings, match=rf"extensions\.101: {path.replace('.', '[.]')} refers to it"):
        validate(settings, {"extensions.101.name": None})
    assert validate(settings, {"extensions.101.name": None, path: None}).rows("extensions") == []


def test_forwarding_needs_where_to() -> None:
    """Bad input: forwarding into nowhere or in a circle."""
    path = "extensions.101.forward_to"
    assert "not set" in problems(unit(), {"extensions.101.forward": "busy"})[path]
    assert "itself" in problems(unit(), {"extensions.101.forward": "always", path: "101"})[path]
    assert unit(**{"extensions.101.forward": "always", path: "102"})


def test_actions_imply_display_and_led_is_where_the_model_has_one() -> None:
    """R34: Mail and LED imply Display; Flash LED is not on the QX2000."""
    path = "events.backup-down.actions"
    assert unit(**{path: "mail"}).words(path) == ("display", "mail")
    assert unit(**{path: "snmp,sms"}).words(path) == ("sms", "snmp")
    assert "led is not on the QX2000" in problems(unit("qx2000"), {path: "led"})[path]
    with pytest.raises(BadSettings):
        validate(unit(), {path: ("mail",)})


def test_snmp_version_3_needs_a_user() -> None:
    """R35: v2c and v3."""
    host = {"snmp.hosts.noc.address": "10.0.0.9", "snmp.hosts.noc.version": "3"}
    assert "snmp.hosts.noc.user" in problems(unit(), host)
    assert unit(**host, **{"snmp.hosts.noc.user": "qx"})
    weak = host | {"snmp.hosts.noc.user": "qx", "snmp.hosts.noc.auth_protocol": "none"}
    assert "snmp.hosts.noc.privacy_protocol" in problems(unit(), weak)


def test_the_vendors_are_those_whose_reboot_is_known() -> None:
    """R23: a phone of another vendor is `other`, and rebooted by hand."""
    assert set(VENDORS) > {
        "yealink",
        "snom",
        "polycom",
        "grandstream",
        "cisco-spa",
        "aastra",
        "gigaset",
        "vtech",
    }
    assert unit(**{f"phones.{mac(1)}.model": "x"}).text(f"phones.{mac(1)}.vendor") == "other"


def test_every_secret_is_known_as_one() -> None:
    """R17: what is never printed back."""
    secret = {setting.path for setting in SCHEMA.all() if setting.secret}
    sounds = ("password", "pin", "community")
    said = {s.path for s in SCHEMA.all() if s.path.endswith(sounds)} - {"users.<user>.change_password"}
    assert secret == said


def test_counts_are_right_after_any_changes() -> None:
    """The view keeps its counts while rows come and go: as if it was made anew."""
    settings = Settings(MODELS["qx200"])
    for number in range(40):
        path = f"extensions.{100 + number % 7}.{('name', 'display')[number % 2]}"
        settings = settings.replaced({path: None if number % 3 == 0 else f"n{number}"})
        anew = Settings(settings.model, {p: settings.explicit_value(p) for p in settings.explicit_paths()})
        assert settings.rows("extensions") == anew.rows("extensions")
        assert settings.count("extensions") == anew.count("extensions")


def test_what_one_change_is_judged_by_is_what_all_is_judged_by() -> None:
    """The rules that a change of these paths can break are those that the whole breaks."""
    for changes in (
        {"redundancy.enabled": True},
        {f"phones.{mac(1)}.extension": "101"},
        {"extensions.101.forward": "busy"},
        {"redundancy.advertisement_interval": 150},
    ):
        broken = Settings(MODELS["qx200"]).replaced(changes)
        assert rules.check(broken, changes) == rules.check(broken) != []


def test_one_change_among_many_is_quick() -> None:
    """A QX2000 with 2,000 extensions and phones: a change is judged without looking at all of them."""
    values: dict[str, Plain] = {}
    for number in range(2000):
        extension = str(10000 + number)
        values |= {f"extensions.{extension}.{f}": "some" for f in ("name", "display", "password")}
        values |= {f"phones.{mac(number)}.extension": extension, f"phones.{mac(number)}.model": "T46U"}
    settings = validate(Settings(MODELS["qx2000"]), values)
    times: list[float] = []
    for number in range(200):
        began = time.perf_counter()
        validate(settings, {f"extensions.{10000 + number}.name": "another"})
        times.append(time.perf_counter() - began)
    assert sorted(times)[100] < 0.001  # measured: 0.06 ms


@pytest.mark.parametrize("kind", [SERVER, MAIL_ADDRESS, URL, PASSWORD_HASH, TIME_ZONE, LANGUAGE])
@pytest.mark.parametrize(
    "text", ["a" * 5000, "a." * 2500, "1." * 2500, "a-" * 2500 + "@", "A/" * 2500, "@" * 5000]
)
def test_long_texts_are_refused_at_once(kind: object, text: str) -> None:
    """Bad input: no pattern takes long to refuse a text."""
    began = time.perf_counter()
    with pytest.raises(BadValue):
        kind.parse(text)  # type: ignore[attr-defined]
    assert time.perf_counter() - began < 0.1


def test_words_are_in_their_own_order_or_in_the_given_one() -> None:
    """R34 and codecs: a set, and a list."""
    assert Words(("a", "b", "c")).parse("c,a") == ("a", "c")
    assert Words(("a", "b", "c"), ordered=True).parse("c,a") == ("c", "a")
    with pytest.raises(BadValue):
        Words(("a",), least=1).parse("")


def test_the_reference_of_settings_is_the_schemas() -> None:
    """`python -m qx.settings.document > docs/settings.md` was run after the last change of the schema."""
    assert (ROOT / "docs/settings.md").read_text(encoding="utf-8") == document.document()
