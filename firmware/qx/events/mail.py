# SPDX-License-Identifier: Apache-2.0
"""mail: one event to one recipient by SMTP (R35). For the delivery process.

Each recipient gets a mail of its own, so that a server that refuses one of them refuses no other; whoever
gets it twice sees one Message-ID.
"""

from __future__ import annotations

import smtplib
import ssl
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import formatdate
from typing import Any

from . import secured, words
from .queue import Outcome

TIMEOUT = 15.0  # seconds for each step of the server

Told = tuple[Outcome, str]


def message(way: dict[str, Any], event: dict[str, Any], model: str) -> EmailMessage:
    """Every header is one line, whatever the event says."""
    mail = EmailMessage()
    mail["Subject"] = words.subject(event)
    mail["From"] = Address(display_name=words.line(f"{model} {event['unit']}", 80), addr_spec=way["sender"])
    mail["To"] = Address(addr_spec=way["to"])
    mail["Date"] = formatdate(event["time"], localtime=True)
    domain = way["sender"].rpartition("@")[2]
    mail["Message-ID"] = f"<{event['uid']}.{words.host(event['unit'])}@{domain}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Priority"] = {"critical": "1", "warning": "2"}.get(event["severity"], "3")
    mail.set_content(words.body(event, model))
    return mail


def deliver(way: dict[str, Any], event: dict[str, Any], model: str) -> Told:
    """Way: the settings of `mail`, and `to`."""
    try:
        with _connected(way, words.host(event["unit"])) as server:
            server.send_message(message(way, event, model), way["sender"], [way["to"]])
        return Outcome.DONE, ""
    except smtplib.SMTPRecipientsRefused as error:
        code, said = next(iter(error.recipients.values()))
        return _refused("mail server refused the recipient", code, said)
    except smtplib.SMTPSenderRefused as error:
        return _refused("mail server refused the sender", error.smtp_code, error.smtp_error)
    except smtplib.SMTPDataError as error:
        return _refused("mail server refused the mail", error.smtp_code, error.smtp_error)
    except smtplib.SMTPAuthenticationError as error:
        said = _said(error.smtp_code, error.smtp_error)
        return Outcome.LATER, f"mail server refused user and password: {said}"
    except smtplib.SMTPResponseException as error:
        return Outcome.LATER, f"mail server refused: {_said(error.smtp_code, error.smtp_error)}"
    except smtplib.SMTPServerDisconnected:
        return Outcome.LATER, "mail server closed the connection"
    except smtplib.SMTPException as error:
        return Outcome.LATER, f"mail server: {words.line(error, 200)}"
    except ssl.SSLError as error:
        return Outcome.LATER, f"mail server: {secured.why(error)}"
    except OSError as error:
        return Outcome.LATER, f"mail server {way['server']}: {reason(error)}"


def _connected(way: dict[str, Any], name: str) -> smtplib.SMTP:
    """`name`: of this unit, for EHLO; asking for it could wait for a name server."""
    context = secured.context(way["fingerprint"])
    if way["security"] == "tls":
        server: smtplib.SMTP = smtplib.SMTP_SSL(
            way["server"], way["port"], name, timeout=TIMEOUT, context=context
        )
    else:
        server = smtplib.SMTP(way["server"], way["port"], name, timeout=TIMEOUT)
    try:
        if way["security"] == "starttls":
            server.starttls(context=context)
        if way["security"] != "none":
            secured.check(server.sock, way["fingerprint"])
        if way["user"]:
            _log_in(server, way)
    except BaseException:
        server.close()
        raise
    return server


def _log_in(server: smtplib.SMTP, way: dict[str, Any]) -> None:
    """By one mechanism, so that what the server says is about the password; `login` would try the next."""
    server.user, server.password = way["user"], way["password"] or ""
    server.ehlo_or_helo_if_needed()
    known = server.esmtp_features.get("auth", "").upper().split()
    for name in ("PLAIN", "LOGIN") if way["security"] != "none" else ("CRAM-MD5", "PLAIN", "LOGIN"):
        if name in known:
            server.auth(name, getattr(server, f"auth_{name.lower().replace('-', '_')}"))
            return
    raise smtplib.SMTPNotSupportedError("it takes no user and password here")


def _refused(what: str, code: int, said: bytes | str) -> Told:
    """4xx may be over later, for this recipient; 5xx is not."""
    return (Outcome.REFUSED if code >= 500 else Outcome.LATER), f"{what}: {_said(code, said)}"


def _said(code: int, said: bytes | str) -> str:
    text = said.decode(errors="replace") if isinstance(said, bytes) else said
    return words.line(f"{code} {text}", 200)


def reason(error: OSError) -> str:
    """An error of the network in one line."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return words.line(error.strerror or error, 200)
