# SPDX-License-Identifier: Apache-2.0
"""Real receivers of what the units deliver: a mail server (aiosmtpd, TLS, authentication), an HTTP gateway,
snmptrapd. Each on an address of the caller's; `receiver.py` runs one of them in the lab's PC."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import http.server
import os
import re
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

USER, PASSWORD = "pbx", 'p"w\\d 1 #x'


def free_port(kind: int = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def wait_for(look: Callable[[], Any], seconds: float, what: str) -> Any:
    until = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < until, f"not within {seconds:g} s: {what}"
        time.sleep(0.02)
    return found


def certificate(folder: Path, name: str = "127.0.0.1") -> tuple[Path, Path, str]:
    """A self-signed certificate of OpenSSL: its file, its key's, its SHA-256 fingerprint."""
    crt, key = folder / "server.crt", folder / "server.key"
    if not crt.exists():
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
             "-keyout", key, "-out", crt, "-days", "30", "-subj", f"/CN={name}",
             "-addext", f"subjectAltName=IP:{name}"], check=True, capture_output=True,
        )  # fmt: skip
    der = ssl.PEM_cert_to_DER_cert(crt.read_text())
    return crt, key, hashlib.sha256(der).hexdigest()


# ── mail ──


@dataclass
class Mailbox:
    """What came in, as (recipient, mail). `refuse` maps a recipient to an answer; `hold` are seconds before a
    recipient is answered: a server that thinks does so before it takes a mail, not between taking it and
    saying so (RFC 1047)."""

    mails: list[tuple[str, EmailMessage]] = field(default_factory=list)
    refuse: dict[str, str] = field(default_factory=dict)
    hold: float = 0.0
    say: Callable[[dict[str, Any]], None] | None = None

    async def handle_RCPT(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        await asyncio.sleep(self.hold)
        if address in self.refuse:
            return self.refuse[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        content = envelope.content if isinstance(envelope.content, bytes) else b""
        mail = message_from_bytes(content, policy=policy.default)
        for to in envelope.rcpt_tos:
            self.mails.append((to, mail))  # pyright: ignore[reportArgumentType]
            if self.say:
                self.say({"to": to, "id": mail["Message-ID"], "subject": mail["Subject"]})
        return "250 OK"

    def subjects(self) -> list[str]:
        return [str(mail["Subject"]) for _, mail in self.mails]


def _authenticate(
    _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: Any
) -> AuthResult:
    good = isinstance(data, LoginPassword) and (data.login, data.password) == (
        USER.encode(),
        PASSWORD.encode(),
    )
    return AuthResult(success=good, handled=False)


@contextlib.contextmanager
def mail_server(
    folder: Path, port: int, security: str = "starttls", address: str = "127.0.0.1", auth: bool = True
) -> Iterator[Mailbox]:
    box = Mailbox()
    crt, key, _ = certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(crt, key)
    more: dict[str, Any] = {}
    if auth:
        more = {"authenticator": _authenticate, "auth_required": True,
                "auth_require_tls": security == "starttls"}  # fmt: skip
    if security == "starttls":
        more |= {"tls_context": context, "require_starttls": True}
    controller = Controller(
        box, hostname=address, port=port, ssl_context=context if security == "tls" else None,
        ready_timeout=10, **more,
    )  # fmt: skip
    controller.start()
    try:
        yield box
    finally:
        controller.stop()


# ── SMS ──


@dataclass
class Gateway:
    """The requests that came, and what is answered."""

    requests: list[dict[str, Any]] = field(default_factory=list)
    status: int = 200
    answer: str = '{"messages": [{"status": "0"}]}'
    say: Callable[[dict[str, Any]], None] | None = None


@contextlib.contextmanager
def gateway(folder: Path, port: int, tls: bool = False, address: str = "127.0.0.1") -> Iterator[Gateway]:
    found = Gateway()

    class Handler(http.server.BaseHTTPRequestHandler):
        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            request = {"method": self.command, "path": self.path, "body": body.decode(), **dict(self.headers)}
            found.requests.append(request)
            if found.say:
                found.say(request)
            self.send_response(found.status)
            self.end_headers()
            self.wfile.write(found.answer.encode())

        do_GET = do_POST = _serve

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer((address, port), Handler)
    if tls:
        crt, key, _ = certificate(folder)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(crt, key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()


# ── SNMP ──

V3_USER, V3_AUTH, V3_PRIV = "qxuser", 'auth pass "1" \\x', "priv pass #1 word"


@dataclass(frozen=True)
class Trap:
    """One notification as snmptrapd wrote it: TRAP2 or INFORM, its OID, and the variables by OID."""

    how: str
    oid: str
    variables: dict[str, str]


class Traps:
    """snmptrapd (Debian), with a community and a user of version 3 (SHA-256 and AES); `engines` are those of
    units whose traps are to be understood."""

    def __init__(
        self, folder: Path, port: int, engines: tuple[str, ...] = (), address: str = "127.0.0.1",
        prefix: tuple[str, ...] = (),
    ) -> None:  # fmt: skip
        self._folder, self._port, self._address, self._prefix = folder, port, address, prefix
        self.file = folder / "traps.txt"
        secret = f'SHA-256 "{_escaped(V3_AUTH)}" AES "{_escaped(V3_PRIV)}"'
        lines = [f"createUser {V3_USER} {secret}"]
        lines += [f"createUser -e {engine} {V3_USER} {secret}" for engine in engines]
        lines += [f"authUser log {V3_USER} priv", "authCommunity log public", 'authCommunity log "pub l#c"']
        folder.mkdir(exist_ok=True)
        (folder / "snmptrapd.conf").write_text("\n".join([*lines, ""]))

    def __enter__(self) -> Traps:
        environment = {**os.environ, "SNMP_PERSISTENT_DIR": str(self._folder / "kept"), "MIBS": "",
                       "MIBDIRS": str(self._folder)}  # fmt: skip
        with (self._folder / "snmptrapd.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self._prefix, "snmptrapd", "-f", "-n", "-On", "-C", "-c",
                 str(self._folder / "snmptrapd.conf"), "-Lf", str(self.file),
                 "-F", "%P\\t%v\\n", f"udp:{self._address}:{self._port}"],
                env=environment, stdout=log, stderr=log,
            )  # fmt: skip
        wait_for(lambda: self.file.exists() and "NET-SNMP" in self.file.read_text(), 10, "snmptrapd is up")
        return self

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(10)

    def traps(self) -> list[Trap]:
        found: list[Trap] = []
        text = self.file.read_text(errors="replace")
        for line in re.sub(r"\n(?=[0-9A-F]{2} )", "", text).splitlines():  # Hex-STRING goes on there
            if not line.startswith(("TRAP2", "INFORM")):
                continue
            how, *fields = line.split("\t")
            pairs = dict(one.split(" = ", 1) for one in fields if " = " in one)
            variables = {oid: _value(text) for oid, text in pairs.items()}
            oid = variables.pop(".1.3.6.1.6.3.1.1.4.1.0", "")
            found.append(Trap(how.split(",")[0], oid.removeprefix("."), {
                name.removeprefix("."): value for name, value in variables.items()}))  # fmt: skip
        return found


def _value(text: str) -> str:
    kind, _, value = text.partition(": ")
    if kind == "Hex-STRING":
        return bytes.fromhex(value).decode(errors="replace")
    return re.sub(r'^"(.*)"$', r"\1", value).replace('\\"', '"')


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
