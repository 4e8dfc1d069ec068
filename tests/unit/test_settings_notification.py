# SPDX-License-Identifier: Apache-2.0
"""Mail, SMS and SNMP as they are set: what cannot work is named at once (R34, R35, Bad input)."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from qx.model import MODELS
from qx.settings.check import BadSettings, read_changes, validate
from qx.settings.groups.gateways import GATEWAYS
from qx.settings.view import Settings

GOOD = {
    "mail.server": "mail.example.com", "mail.sender": "pbx@example.com", "mail.recipients": "a@example.com",
    "sms.url": "https://gateway.example/send?to={number}", "sms.body": '{"text": "{text}"}',
    "sms.recipients": "+4930123", "snmp.hosts.noc.address": "10.0.0.9", "snmp.hosts.noc.community": "public",
}  # fmt: skip


def after(before: Settings, texts: dict[str, str]) -> Settings:
    return validate(before, read_changes(before, texts))


def problems(texts: dict[str, str]) -> dict[str, str]:
    """What is said of each field, over settings that are good."""
    with pytest.raises(BadSettings) as caught:
        after(after(Settings(MODELS["qx200"]), GOOD), texts)
    return {error.path: error.problem for error in caught.value.errors}


@pytest.mark.parametrize(
    ("path", "text", "words"),
    [
        # addresses of people and hosts
        ("mail.sender", "pbx", "expected a mail address, like pbx@example.com"),
        ("mail.sender", "pbx@example.com\r\nBcc: all@example.com", "expected a mail address"),
        ("mail.recipients", "a@example.com,b@", "expected up to 8 mail addresses"),
        ("mail.recipients", ",".join(f"a{n}@b.example" for n in range(9)), "expected up to 8 mail addresses"),
        ("mail.server", "mail server", "expected an IPv4 address or a host name"),
        ("mail.server", "10.0.0.256", "expected an IPv4 address or a host name"),
        ("mail.port", "0", "expected a whole number from 1 to 65535"),
        ("sms.recipients", "+49 30", "expected up to 16 numbers to dial"),
        ("sms.sender", "a sender too long", "expected a number, or up to 11 letters and digits"),
        ("snmp.hosts.noc.address", "noc_1", "expected an IPv4 address or a host name"),
        ("snmp.hosts.noc.port", "65536", "expected a whole number from 1 to 65535"),
        ("snmp.hosts.NOC.address", "10.0.0.9", "<host> is a name of up to 32 small letters, digits and -"),
        # certificates
        ("mail.fingerprint", "AB:CD", "expected a SHA-256 fingerprint: 64 hexadecimal digits"),
        ("mail.fingerprint", "ab" * 33, "expected a SHA-256 fingerprint"),
        ("sms.fingerprint", "zz" * 32, "expected a SHA-256 fingerprint"),
        # the request
        ("sms.gateway", "nobody", "expected other, twilio, vonage or sinch"),
        ("sms.url", "gateway.example/{text}", "expected a URL that begins with http:// or https://"),
        ("sms.url", "https://gateway.example:65536/{text}", "port 65536; expected one from 1 to 65535"),
        ("sms.url", "https://gateway.example/{password}?t={text}", "{password}: expected one of {number}"),
        ("sms.url", "https://gateway.example/{Text}", "{Text}: expected one of {number}, {digits}, {text}"),
        ("sms.body", '{"text": "{text} {message}"}', "{message}: expected one of {number}"),
        ("sms.body", '{"text": "{text}"', "expected JSON, because its content type is application/json"),
        ("sms.body", "text={text}", "expected JSON, because its content type is application/json"),
        ("sms.headers", "X-Key {password}", "expected up to 8 headers"),
        ("sms.headers", "X-Key: a\r\nX-Other: b", "expected up to 8 headers"),
        ("sms.headers", "X-Key: {number}", "{number}: expected one of {user}, {password}"),
        ("sms.headers", "X-A: b|content-length: 5", "content-length: expected others"),
        ("sms.headers", "Host: other.example", "Host: expected others, because the request has this one"),
        ("sms.content_type", "json", "expected a media type, like application/json"),
        # SNMP
        ("snmp.agent", "true", "nobody could ask it; expected snmp.community or snmp.user to be set"),
        ("snmp.hosts.noc.version", "1", "expected 2c or 3"),
        ("snmp.hosts.noc.auth_password", "1234567", "this value: expected 8 to 64 characters of ASCII"),
        ("snmp.user", "a b", "expected 1 to 32 characters of ASCII without spaces"),
        # rules
        ("events.backup-down.actions", "fax", "expected any of display, led, mail, sms, snmp"),
        ("events.backup-gone.actions", "mail", "<event> is an event of the table below"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_named_at_once(path: str, text: str, words: str) -> None:
    """Bad input: the field and what was expected; the settings are as they were."""
    found = problems({path: text})
    assert words in found[path], found
    assert set(found) == {path}


def test_a_message_without_its_text_is_refused() -> None:
    """R35: of a get the body does not count."""
    assert "{text}" in problems({"sms.method": "get"})["sms.url"]
    assert "{text}" in problems({"sms.body": '{"to": "{number}"}'})["sms.url"]


@pytest.mark.parametrize("name", GATEWAYS)
def test_a_known_gateway_needs_a_user_and_a_sender(name: str) -> None:
    """R35: its own request is good for every rule; what it needs besides is named. Its password is not
    asked for: a backup without secrets has to be taken (R40)."""
    bare = Settings(MODELS["qx200"])
    with pytest.raises(BadSettings) as caught:
        after(bare, {"sms.gateway": name})
    assert {error.path for error in caught.value.errors} == {"sms.user", "sms.sender"}
    assert any(GATEWAYS[name].user in error.problem for error in caught.value.errors)
    good = after(bare, {"sms.gateway": name, "sms.user": "u", "sms.sender": "QX"})
    known = GATEWAYS[name]
    for field in ("url", "body", "headers", "content_type"):  # as if somebody had typed them in
        if getattr(known, field):
            good = after(good, {f"sms.{field}": getattr(known, field)})
    assert urlsplit(known.url).hostname


def test_a_body_of_another_type_is_no_json() -> None:
    """R35: a form's is as it is."""
    form = {"sms.content_type": "application/x-www-form-urlencoded", "sms.body": "to={number}&text={text}"}
    assert after(Settings(MODELS["qx200"]), {**GOOD, **form}).text("sms.body") == form["sms.body"]
