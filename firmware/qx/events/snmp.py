# SPDX-License-Identifier: Apache-2.0
"""snmp: one event to one host as a trap or an inform, by net-snmp's programs (R35). For the delivery process.

Community, user and passwords stand in a file of mode 0600 in a folder of its own below run/qx, never in the
arguments. The engine id of version 3 is the unit's serial number, so a receiver of traps can be told of it
beforehand; an inform needs no more than the user. Engine boots are kept below data/qx, as RFC 3414 demands.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from ..paths import Paths
from . import oids, words
from .kinds import kind_of
from .mail import Told
from .queue import Outcome
from .snmpd import engine_id, quoted

TIMEOUT, RETRIES = 3, 2  # seconds for an answer, and how often it is asked again
LIMIT = 30.0  # seconds for the program
AUTH = {"sha": "SHA", "sha256": "SHA-256"}
PATH = "/usr/bin:/bin:/usr/sbin:/sbin"


def deliver(way: dict[str, Any], event: dict[str, Any], device: dict[str, Any], paths: Paths) -> Told:
    """Way: the settings of the host, `to`, and `vrrp`: is it the RFCs' trap?"""
    program = shutil.which("snmpinform" if way["inform"] else "snmptrap", path=PATH)
    if program is None:
        return Outcome.LATER, "net-snmp's snmptrap is not on this unit"
    kept = paths.data_qx / "snmp"
    kept.mkdir(mode=0o700, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="snmp-", dir=paths.run_qx) as folder:
        secret = Path(folder) / "snmp.conf"
        secret.touch(mode=0o600)
        secret.write_text(configuration(way))
        own = [] if way["inform"] or way["version"] == "2c" else ["-e", engine_id(device["serial"])]
        argv = [program, *own, "-t", str(TIMEOUT), "-r", str(RETRIES), f"udp:{way['address']}:{way['port']}",
                str(uptime()), *(vrrp(event, device) if way["vrrp"] else said(event))]  # fmt: skip
        environment = {"PATH": PATH, "SNMPCONFPATH": folder, "SNMP_PERSISTENT_DIR": str(kept), "MIBS": "",
                       "MIBDIRS": folder, "LC_ALL": "C.UTF-8"}  # fmt: skip
        try:
            done = subprocess.run(argv, env=environment, stdin=subprocess.DEVNULL, capture_output=True,
                                  text=True, errors="replace", timeout=LIMIT, check=False)  # fmt: skip
        except subprocess.TimeoutExpired:
            return Outcome.LATER, f"SNMP host {way['address']}: no answer within {LIMIT:g} s"
    if done.returncode == 0:
        return Outcome.DONE, ""
    return Outcome.LATER, f"SNMP host {way['address']}: {_why(done.stderr)}"


def _why(stderr: str) -> str:
    lines = [one for one in stderr.splitlines() if one.strip() and "Created directory" not in one]
    text = words.line(lines[-1].partition(": ")[2] or lines[-1], 200) if lines else "failed"
    return "did not confirm" if text == "Timeout" else text


def configuration(way: dict[str, Any]) -> str:
    """net-snmp's snmp.conf(5)."""
    if way["version"] == "2c":
        return f"defVersion 2c\ndefCommunity {quoted(way['community'])}\n"
    auth, privacy = way["auth_protocol"] != "none", way["privacy_protocol"] != "none"
    level = "authPriv" if auth and privacy else "authNoPriv" if auth else "noAuthNoPriv"
    lines = ["defVersion 3", f"defSecurityName {quoted(way['user'])}", f"defSecurityLevel {level}"]
    if auth:
        lines += [f"defAuthType {AUTH[way['auth_protocol']]}",
                  f"defAuthPassphrase {quoted(way['auth_password'])}"]  # fmt: skip
    if auth and privacy:
        lines += ["defPrivType AES", f"defPrivPassphrase {quoted(way['privacy_password'])}"]
    return "\n".join([*lines, ""])


def said(event: dict[str, Any]) -> list[str]:
    """OID and variables of our own notification."""
    values = {
        "Id": event["uid"],
        "Unit": event["unit"],
        "Source": event["source"],
        "Name": event["name"],
        "Description": event["description"],
        "Time": words.utc(event["time"]),
    }
    found = [oids.notification(kind_of(event["name"]).key)]
    for name, number in oids.SAYS.items():
        kind, value = ("s", words.line(values[name])) if name in values else (
            "i", str(oids.SEVERITY[event["severity"]]))  # fmt: skip
        found += [f"{oids.SAID}.{number}.0", kind, value]
    return found


def vrrp(event: dict[str, Any], device: dict[str, Any]) -> list[str]:
    """vrrpTrapNewMaster of RFC 2787, or vrrpv3NewMaster of RFC 6527: the new Master's address as it stands in
    its advertisements."""
    whose = "virtual_ip" if event["unit"] == device["serial"] else "peer_virtual_ip"
    master = device[whose] or "0.0.0.0"
    try:
        index = socket.if_nametoindex(device["lan"])
    except OSError:
        index = 0
    row = f"{index}.{device['group_id']}"
    if device["vrrp_version"] == 2:
        return [oids.VRRP2_NEW_MASTER, f"{oids.VRRP2_MASTER}.{row}", "a", master]
    reason = 3 if "fell silent" in event["description"] else 1  # masterNoResponse, priority
    address = socket.inet_aton(master).hex(" ")
    return [oids.VRRP3_NEW_MASTER, f"{oids.VRRP3_MASTER}.{row}.1", "x", address,
            f"{oids.VRRP3_REASON}.{row}.1", "i", str(reason)]  # fmt: skip


def uptime() -> int:
    """Of this machine, in hundredths of a second, as sysUpTime wraps."""
    return int(time.clock_gettime(time.CLOCK_BOOTTIME) * 100) % (1 << 32)
