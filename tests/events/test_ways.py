# SPDX-License-Identifier: Apache-2.0
"""Each way out against a real receiver: what arrives, and what is said where it does not (R35)."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from receivers import (
    PASSWORD,
    USER,
    V3_AUTH,
    V3_PRIV,
    V3_USER,
    Traps,
    certificate,
    free_port,
    gateway,
    mail_server,
    wait_for,
)

from qx.events import mail, oids, rules, sms, snmp
from qx.events.queue import Outcome
from qx.model import MODELS
from qx.paths import Paths
from qx.settings.check import read_changes, validate
from qx.settings.groups.gateways import GATEWAYS
from qx.settings.view import Settings

EVENT: dict[str, Any] = {
    "id": 7, "time": 1_700_000_000.0, "monotonic": 1.0, "unit": "QX200-000001", "source": "Redundancy",
    "severity": "critical", "name": "Backup device is DOWN", "description": "nothing was heard of it for 3 s",
    "state": "new", "uid": "0123456789abcdef", "cleared": False, "owed": None,
}  # fmt: skip
NASTY = "x\r\nBcc: all@example.com\r\n\r\nbody\x00\x1b[31m \u2028 ü"
DEVICE: dict[str, Any] = {
    "model": "QX200", "serial": "QX200-000001", "lan": "lo", "group_id": 18, "vrrp_version": 2,
    "virtual_ip": "10.77.0.1", "peer_virtual_ip": "10.77.0.2",
}  # fmt: skip


def mail_way(port: int, **more: Any) -> dict[str, Any]:
    return {
        "server": "127.0.0.1", "port": port, "security": "starttls", "user": USER, "password": PASSWORD,
        "fingerprint": None, "sender": "pbx@example.com", "to": "admin@example.com", **more,
    }  # fmt: skip


# ── mail ──


@pytest.mark.parametrize("security", ["starttls", "tls", "none"])
def test_a_mail_arrives_with_its_words(tmp_path: Path, security: str) -> None:
    """R32, R35: over each protection, with authentication; readable, with one Message-ID."""
    port = free_port()
    with mail_server(tmp_path, port, security, auth=security != "none") as box:
        user = USER if security != "none" else ""
        way = mail_way(port, security=security, user=user, fingerprint=certificate(tmp_path)[2])
        assert mail.deliver(way, EVENT, "QX200") == (Outcome.DONE, "")
        assert mail.deliver({**way, "to": "other@example.com"}, EVENT, "QX200") == (Outcome.DONE, "")
    (to, one), (_, two) = box.mails
    assert (to, one["To"], one["From"].addresses[0].addr_spec) == (
        "admin@example.com", "admin@example.com", "pbx@example.com")  # fmt: skip
    assert one["Subject"] == "Backup device is DOWN (QX200-000001)"
    assert one["Message-ID"] == two["Message-ID"] == "<0123456789abcdef.qx200-000001@example.com>"
    text = one.get_content()
    assert "nothing was heard of it for 3 s" in text and "critical" in text and "QX200 QX200-000001" in text


@pytest.mark.parametrize("field", ["name", "description", "unit", "source"])
def test_no_event_writes_a_header(tmp_path: Path, field: str) -> None:
    """Bad input, R34: whatever a name holds (of an extension, of a unit), the mail has our headers only and
    one recipient, and the body none of its control characters."""
    port = free_port()
    with mail_server(tmp_path, port, "none", auth=False) as box:
        event = {**EVENT, field: NASTY}
        assert mail.deliver(mail_way(port, security="none", user=""), event, "QX200") == (Outcome.DONE, "")
    ((to, found),) = box.mails
    assert to == "admin@example.com"
    assert set(found.keys()) == {
        "Subject", "From", "To", "Date", "Message-ID", "Auto-Submitted", "X-Priority", "MIME-Version",
        "Content-Type", "Content-Transfer-Encoding", "X-Peer", "X-MailFrom", "X-RcptTo",
    } - ({"X-Peer", "X-MailFrom", "X-RcptTo"} - set(found.keys()))  # fmt: skip
    assert "Bcc" not in found
    assert "\x1b" not in found.get_content() and "\x00" not in found.get_content()


@pytest.mark.parametrize(
    ("change", "outcome", "words"),
    [
        ({"password": "wrong"}, Outcome.LATER, "mail server refused user and password: 535"),
        ({"fingerprint": None}, Outcome.LATER, "its certificate is not trusted: self-signed certificate"),
        ({"fingerprint": "ab" * 32}, Outcome.LATER, "its certificate has the fingerprint"),
        ({"to": "gone@example.com"}, Outcome.REFUSED, "refused the recipient: 550 no such user"),
        ({"to": "busy@example.com"}, Outcome.LATER, "refused the recipient: 451 greylisted"),
        ({"server": "127.0.0.9"}, Outcome.LATER, "mail server 127.0.0.9: Connection refused"),
        ({"security": "tls"}, Outcome.LATER, "mail server: TLS: WRONG_VERSION_NUMBER"),
        ({"security": "none"}, Outcome.LATER, "mail server"),
    ],
)
def test_a_mail_server_that_refuses_is_understood(
    tmp_path: Path, change: dict[str, Any], outcome: Outcome, words: str
) -> None:
    """R34, R35: a person can read why; the password is in none of it."""
    port = free_port()
    with mail_server(tmp_path, port) as box:
        box.refuse = {"gone@example.com": "550 no such user", "busy@example.com": "451 greylisted"}
        way = mail_way(port, fingerprint=certificate(tmp_path)[2], **{}) | change
        found, why = mail.deliver(way, EVENT, "QX200")
    assert (found, box.mails) == (outcome, [])
    assert words in why
    assert PASSWORD not in why and "\n" not in why


# ── SMS ──


def sms_way(port: int, **more: Any) -> dict[str, Any]:
    return {
        "url": f"http://127.0.0.1:{port}/send", "method": "post", "headers": None,
        "body": '{"to": "{number}", "text": "{text}"}', "content_type": "application/json", "user": "",
        "password": None, "sender": "QX", "success": "", "fingerprint": None, "to": "+4930123", **more,
    }  # fmt: skip


def test_json_form_and_url_are_written_by_their_rules(tmp_path: Path) -> None:
    """R35, Bad input: quotes, ampersands and lines of an event stay text in each of the three."""
    event = {**EVENT, "description": 'a "b" & c={d}\r\nX-Evil: 1 ü'}
    text = "Backup device is DOWN (QX200-000001, "
    port = free_port()
    with gateway(tmp_path, port) as found:
        assert sms.deliver(sms_way(port), event, "") == (Outcome.DONE, "")
        form = sms_way(port, content_type="application/x-www-form-urlencoded",
                       body="key={password}&to={number}&text={text}", password="s&cret")  # fmt: skip
        assert sms.deliver(form, event, "") == (Outcome.DONE, "")
        get = sms_way(port, method="get", url=f"http://127.0.0.1:{port}/s?n={{number}}&t={{text}}", body="")
        assert sms.deliver(get, event, "") == (Outcome.DONE, "")
    one, two, three = found.requests
    body = json.loads(one["body"])
    assert body["to"] == "+4930123" and body["text"].startswith(text)
    assert 'a "b" & c={d}  X-Evil: 1 ü' in body["text"]
    assert "X-Evil" not in one and "X-Evil" not in three
    assert two["body"].startswith("key=s%26cret&to=%2B4930123&text=Backup+device+is+DOWN")
    assert three["method"] == "GET" and three["path"].startswith(
        "/s?n=%2B4930123&t=Backup%20device%20is%20DOWN"
    )
    assert len(body["text"]) <= 160


def test_headers_and_authentication(tmp_path: Path) -> None:
    """R35: a token in a header, or user and password by basic authentication; over TLS, judged by
    fingerprint."""
    port = free_port()
    with gateway(tmp_path, port, tls=True) as found:
        secure = {"url": f"https://127.0.0.1:{port}/send", "fingerprint": certificate(tmp_path)[2]}
        way = sms_way(
            port, headers="Authorization: AccessKey {password}|X-Kind: sms", password="t0ken", **secure
        )
        assert sms.deliver(way, EVENT, "") == (Outcome.DONE, "")
        assert sms.deliver(sms_way(port, user="u", password="p", **secure), EVENT, "") == (Outcome.DONE, "")
        untrusted = sms_way(port, **{**secure, "fingerprint": None})
        outcome, why = sms.deliver(untrusted, EVENT, "")
    assert found.requests[0]["Authorization"] == "AccessKey t0ken"
    assert found.requests[0]["X-Kind"] == "sms"
    assert found.requests[1]["Authorization"] == "Basic dTpw"
    assert (outcome, len(found.requests)) == (Outcome.LATER, 2)
    assert "its certificate is not trusted" in why


@pytest.mark.parametrize(
    ("status", "answer", "success", "outcome", "words"),
    [
        (200, '{"status": "0"}', '"status":"0"', Outcome.DONE, ""),
        (202, "", "", Outcome.DONE, ""),
        (200, '{"status": "4", "error": "bad key"}', '"status":"0"', Outcome.REFUSED, 'has no "status":"0"'),
        (401, "who are you", "", Outcome.LATER, "answered 401: who are you"),
        (400, "bad number", "", Outcome.REFUSED, "answered 400: bad number"),
        (503, "", "", Outcome.LATER, "answered 503"),
        (302, "", "", Outcome.LATER, "answered 302"),
        (199, "", "", Outcome.LATER, "199"),
    ],
)
def test_the_rule_of_success(status: int, answer: str, success: str, outcome: Outcome, words: str) -> None:
    """R35: the status from 200 to 299, and what the answer must contain."""
    found, why = sms.judged(status, answer, success)
    assert found == outcome
    assert words in why


# What each well-known gateway answers, as its public documentation has it: a message that it took, and a
# user and password that it does not know.
ANSWERS = {
    "twilio": (
        (201, '{"sid": "SM0123", "status": "queued", "error_code": null}'),
        (401, '{"code": 20003, "message": "Authenticate", "status": 401}'),
    ),
    "vonage": (
        (200, '{"message-count": "1", "messages": [{"to": "4930123", "message-id": "0C00", "status": "0"}]}'),
        (200, '{"message-count": "1", "messages": [{"status": "4", "error-text": "Bad Credentials"}]}'),
    ),
    "sinch": (
        (201, '{"id": "01FC", "to": ["+4930123"], "from": "QX", "canceled": false, "type": "mt_text"}'),
        (401, '{"code": "syntax_invalid_json", "text": "unauthorized"}'),
    ),
}


def sms_from(**more: str) -> dict[str, Any]:
    """The way of a message, from settings as a person sets them."""
    before = Settings(MODELS["qx200"])
    texts = {"sms.user": "user id", "sms.password": "t&ken", "sms.sender": "QX 1",
             "sms.recipients": "+4930123"}  # fmt: skip
    texts |= {f"sms.{name}": text for name, text in more.items()}
    found = rules.configuration(validate(before, read_changes(before, texts)), "sms:+4930123")
    assert found
    return found


@pytest.mark.parametrize("name", GATEWAYS)
def test_a_well_known_gateway(tmp_path: Path, name: str) -> None:
    """R35: chosen by name, with user, password and sender: the request as its documentation wants it, at the
    path of its own host; what it answers is understood."""
    known = urlsplit(GATEWAYS[name].url)
    assert known.scheme == "https"
    port = free_port()
    here = f"http://127.0.0.1:{port}{known.path}"
    event = {**EVENT, "description": 'a "b" & c'}
    assert sms_from(gateway=name)["url"] == GATEWAYS[name].url
    way = sms_from(gateway=name, url=here)
    with gateway(tmp_path, port) as found:
        good, bad = ANSWERS[name]
        found.status, found.answer = good
        assert sms.deliver(way, event, "") == (Outcome.DONE, "")
        found.status, found.answer = bad
        outcome, why = sms.deliver(way, event, "")
    assert outcome != Outcome.DONE and "SMS gateway" in why and "t&ken" not in why
    request = found.requests[0]
    assert request["method"] == "POST"
    text = "Backup device is DOWN (QX200-000001, "
    if name == "twilio":
        assert request["path"] == "/2010-04-01/Accounts/user%20id/Messages.json"
        assert base64.b64decode(request["Authorization"].removeprefix("Basic ")) == b"user id:t&ken"
        fields = parse_qs(request["body"], strict_parsing=True)
        assert set(fields) == {"To", "From", "Body"}
        assert (fields["To"], fields["From"]) == (["+4930123"], ["QX 1"])
        told = fields["Body"][0]
    elif name == "vonage":
        assert request["path"] == "/sms/json" and "Authorization" not in request
        fields = parse_qs(request["body"], strict_parsing=True)
        assert set(fields) == {"api_key", "api_secret", "to", "from", "text"}
        assert (fields["to"], fields["from"]) == (["4930123"], ["QX 1"]), "a number without +"
        assert (fields["api_key"], fields["api_secret"]) == (["user id"], ["t&ken"])
        told = fields["text"][0]
    else:
        assert request["path"] == "/xms/v1/user%20id/batches"
        assert request["Authorization"] == "Bearer t&ken"
        body = json.loads(request["body"])
        assert set(body) == {"from", "to", "body"}
        assert (body["to"], body["from"]) == (["+4930123"], "QX 1")
        told = body["body"]
    assert told.startswith(text) and told.endswith(': a "b" & c')
    assert request["Content-Type"] == GATEWAYS[name].content_type


def test_a_known_gateways_request_may_be_changed() -> None:
    """R35: an editable request: what is set takes the place of the gateway's, the rest stays."""
    way = sms_from(
        gateway="sinch",
        url="https://eu.sms.api.sinch.com/xms/v1/{user}/batches",
        body='{"from":"{sender}","to":["{number}"],"body":"{text}","flash_message":true}',
    )
    assert way["url"].startswith("https://eu.") and "flash_message" in way["body"]
    assert way["headers"] == GATEWAYS["sinch"].headers
    assert sms_from(url="http://g/{text}", method="get")["method"] == "get"


# ── SNMP ──


def snmp_way(port: int, **more: Any) -> dict[str, Any]:
    return {
        "address": "127.0.0.1", "port": port, "version": "2c", "inform": True, "community": "pub l#c",
        "user": None, "auth_protocol": "sha", "auth_password": None, "privacy_protocol": "aes",
        "privacy_password": None, "to": "noc", "vrrp": False, **more,
    }  # fmt: skip


V3 = {"version": "3", "user": V3_USER, "auth_protocol": "sha256", "auth_password": V3_AUTH,
      "privacy_password": V3_PRIV}  # fmt: skip


def root(folder: Path) -> Paths:
    paths = Paths(folder)
    paths.data_qx.mkdir(parents=True)
    paths.run_qx.mkdir(parents=True)
    return paths


def test_traps_and_informs_of_both_versions(tmp_path: Path) -> None:
    """R35: version 2c and 3 (SHA-256, AES), trap and inform, to snmptrapd; each with our notification's OID
    and words; no secret in arguments or left on flash or in run."""
    paths, port = root(tmp_path), free_port()
    engine = snmp.engine_id(DEVICE["serial"])
    with Traps(tmp_path / "traps", port, (engine,)) as received:
        for way in (
            snmp_way(port), snmp_way(port, inform=False), snmp_way(port, **V3),
            snmp_way(port, inform=False, **V3), snmp_way(port, inform=False, **V3),
        ):  # fmt: skip
            assert snmp.deliver(way, EVENT, DEVICE, paths) == (Outcome.DONE, ""), way
        wait_for(lambda: len(received.traps()) == 5, 5, "five notifications")
    assert [trap.how for trap in received.traps()] == ["INFORM", "TRAP2", "INFORM", "TRAP2", "TRAP2"]
    for trap in received.traps():
        assert trap.oid == oids.notification("backup-down")
        said = {name: trap.variables[f"{oids.SAID}.{number}.0"] for name, number in oids.SAYS.items()}
        assert said == {
            "Id": EVENT["uid"], "Unit": "QX200-000001", "Severity": "3", "Source": "Redundancy",
            "Name": "Backup device is DOWN", "Description": "nothing was heard of it for 3 s",
            "Time": "2023-11-14T22:13:20Z",
        }  # fmt: skip
    assert list(paths.run_qx.iterdir()) == []
    kept = [file.read_text() for file in (paths.data_qx / "snmp").rglob("*") if file.is_file()]
    assert kept and not any(V3_AUTH in text or V3_PRIV in text for text in kept)
    assert (paths.data_qx / "snmp").stat().st_mode & 0o77 == 0


@pytest.mark.parametrize(("version", "oid"), [(2, oids.VRRP2_NEW_MASTER), (3, oids.VRRP3_NEW_MASTER)])
def test_the_rfcs_trap_on_promotion(tmp_path: Path, version: int, oid: str) -> None:
    """R35: vrrpTrapNewMaster (RFC 2787) or vrrpv3NewMaster (RFC 6527) with the new Master's address."""
    paths, port = root(tmp_path), free_port()
    event = {**EVENT, "name": "Takeover: this device is Master", "description": "the Master fell silent"}
    with Traps(tmp_path / "traps", port) as received:
        for unit in ("QX200-000001", "QX200-000002"):
            told = snmp.deliver(snmp_way(port, vrrp=True), {**event, "unit": unit},
                                {**DEVICE, "vrrp_version": version}, paths)  # fmt: skip
            assert told == (Outcome.DONE, "")
        one, two = wait_for(lambda: received.traps() if len(received.traps()) > 1 else None, 5, "two traps")
    assert one.oid == two.oid == oid
    if version == 2:
        assert one.variables[f"{oids.VRRP2_MASTER}.1.18"] == "10.77.0.1"
        assert two.variables[f"{oids.VRRP2_MASTER}.1.18"] == "10.77.0.2"
    else:
        assert one.variables[f"{oids.VRRP3_REASON}.1.18.1"] == "3"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"community": "wrong"}, "SNMP host 127.0.0.1: did not confirm"),
        ({**V3, "auth_password": "wrong password"}, "uthentication failure"),
        ({**V3, "user": "nobody"}, "nknown user name"),
        ({"address": "no.such.host.invalid"}, "no.such.host.invalid"),
    ],
)
def test_a_host_that_does_not_confirm_is_understood(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], words: str
) -> None:
    """R34: an inform that nobody confirms is for later, and a person can read why."""
    monkeypatch.setattr(snmp, "TIMEOUT", 1)
    monkeypatch.setattr(snmp, "RETRIES", 0)
    paths, port = root(tmp_path), free_port()
    with Traps(tmp_path / "traps", port) as received:
        outcome, why = snmp.deliver(snmp_way(port, **change), EVENT, DEVICE, paths)
        assert outcome == Outcome.LATER
        assert words in why
        assert received.traps() == []


def test_nasty_texts_stay_one_variable(tmp_path: Path) -> None:
    """Bad input: an event's text is one string of the notification, whatever is in it."""
    paths, port = root(tmp_path), free_port()
    with Traps(tmp_path / "traps", port) as received:
        event = {**EVENT, "description": "-e 1 " + NASTY, "name": "Pair mismatch"}
        assert snmp.deliver(snmp_way(port), event, DEVICE, paths) == (Outcome.DONE, "")
        (trap,) = wait_for(received.traps, 5, "one notification")
    assert trap.oid == oids.notification("pair-mismatch")
    assert trap.variables[f"{oids.SAID}.6.0"].startswith("-e 1 x  Bcc: all@example.com    body")


def test_every_event_has_a_number() -> None:
    """R35: a notification for every event; numbers are given once."""
    from qx.settings.groups.notification import EVENTS

    assert set(oids.EVENTS) == set(EVENTS)
    assert len(set(oids.EVENTS.values())) == len(oids.EVENTS)
