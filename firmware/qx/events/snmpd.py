# SPDX-License-Identifier: Apache-2.0
"""snmpd: net-snmp's agent beside the daemon, while `snmp.agent` is set; it asks `qx snmp agent` for tables.

Its configuration has the community and the passwords: a file of mode 0600 in run/qx. Read-only for everybody.
On the daemon's loop, which waits for nothing.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from .. import child
from . import oids

if TYPE_CHECKING:
    from ..paths import Paths
    from ..settings.view import Settings

log = logging.getLogger("qx.events")

AGAIN = 10.0  # seconds before an agent that ended is started again
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


def quoted(text: str) -> str:
    """As net-snmp's configuration files want it."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def engine_id(serial: str) -> str:
    """RFC 3411, SnmpEngineID: the enterprise, format 4 (text), up to 27 octets."""
    return f"0x{0x80000000 | oids.ENTERPRISE:08x}04{serial.encode()[:27].hex()}"


def configuration(settings: Settings, serial: str, command: str) -> str:
    """snmpd.conf(5); empty where this unit answers nobody. `command` serves pass_persist."""
    community, user = settings.text("snmp.community"), settings.text("snmp.user")
    if not settings.flag("snmp.agent") or not (community or user):
        return ""
    vrrp = oids.VRRP3 if settings.number("redundancy.vrrp_version") == 3 else oids.VRRP2
    lines = [
        "agentaddress udp:161",
        f"exactEngineID {engine_id(serial)}",
        f"sysName {quoted(serial)}",
        f"sysContact {quoted(settings.text('snmp.contact'))}",
        f"sysLocation {quoted(settings.text('snmp.location'))}",
        f"pass_persist .{vrrp} {command}",
        f"pass_persist .{oids.QX} {command}",
    ]
    if community:
        lines.append(f"rocommunity {quoted(community)}")
    if user:
        auth, privacy = settings.text("snmp.auth_password"), settings.text("snmp.privacy_password")
        lines.append(f"createUser {quoted(user)} SHA-256 {quoted(auth)} AES {quoted(privacy or auth)}")
        lines.append(f"rouser {quoted(user)} priv")
    return "\n".join([*lines, ""])


class Snmpd:
    def __init__(self, paths: Paths, serial: str) -> None:
        self._paths, self._serial = paths, serial
        self._wanted = ""
        self._seen: Settings | None = None
        self._task: asyncio.Task[None] | None = None

    def look(self, settings: Settings) -> None:
        """To be called about once a second."""
        if settings is self._seen:
            return
        self._seen = settings
        executable = os.path.realpath(child.SELF)
        argv = child.command("snmp", "agent", "--root", str(self._paths.root))
        command = " ".join([executable if argv[0] == child.SELF else argv[0], *argv[1:]])
        wanted = configuration(settings, self._serial, command)
        if wanted != self._wanted:
            self._wanted = wanted
            if self._task:
                self._task.cancel()
            self._task = asyncio.get_running_loop().create_task(self._run(wanted)) if wanted else None

    async def close(self) -> None:
        if self._task:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _run(self, wanted: str) -> None:
        file, kept = self._paths.run_qx / "snmpd.conf", self._paths.data_qx / "snmp"
        number = self._paths.run_qx / "snmpd.pid"

        def write() -> None:
            _end(number, str(file))
            kept.mkdir(mode=0o700, exist_ok=True)
            handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(handle, "w") as stream:
                stream.write(wanted)

        environment = {**child.environment(), "PATH": PATH, "SNMP_PERSISTENT_DIR": str(kept), "MIBS": "",
                       "MIBDIRS": str(kept)}  # fmt: skip
        while True:
            await asyncio.to_thread(write)
            try:
                process = await asyncio.create_subprocess_exec(  # which looks for it on that PATH
                    "snmpd", "-f", "-Lo", "-C", "-c", str(file), "-p", str(number), "-I", "-ifTable,ifXTable",
                    env=environment,
                    stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
                    stderr=asyncio.subprocess.DEVNULL,
                )  # fmt: skip
            except OSError as error:
                log.error("snmp.agent is true, and net-snmp's snmpd does not start: %s", error.strerror)
                return
            try:
                code = await process.wait()
                log.error("snmpd ended with %s", code)
            finally:
                if process.returncode is None:
                    process.terminate()
            await asyncio.sleep(AGAIN)


def _end(number: Path, file: str) -> None:
    """Of an agent that outlived a daemon that was killed: it has the port."""
    with suppress(OSError, ValueError):
        pid = int(number.read_text())
        if file.encode() in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"):
            os.kill(pid, signal.SIGKILL)
