# SPDX-License-Identifier: Apache-2.0
"""Kamailio as it is run beside keepalived: up on both units all the time, with the address and without.

Registrations cross by Kamailio's own means (modules dmq, dmq_usrloc). All else is the product's
configuration, in the product's place, so that the same phones and the same questions are answered by it.
"""

import shutil
import subprocess

from board.lab.demo import PLANS, VIRTUAL_IP
from board.lab.pair import Lab

from pbx.phones import password
from qx.model import model_named
from qx.pbx import kamailio
from qx.settings.values import Plain
from qx.settings.view import Settings

from .setting import PLAN

_DMQ_PORT = 5062
_MODULES = """\
loadmodule "dmq.so"
loadmodule "dmq_usrloc.so"
modparam("dmq", "server_address", "sip:{own}:{port}")
modparam("dmq", "notification_address", "sip:{peer}:{port}")
modparam("dmq", "ping_interval", 60)
modparam("dmq_usrloc", "enable", 1)
modparam("dmq_usrloc", "sync", 1)
modparam("dmq_usrloc", "batch_msg_contacts", 50)
modparam("dmq_usrloc", "replicate_socket_info", 1)

modparam("db_text\""""
_ROUTE = """\
request_route {
	if (is_method("KDMQ") && $Rp == 5062) {
		dmq_handle_message();
		exit;
	}
"""


def extensions(phones: int) -> range:
    """One a phone."""
    return range(10000, 10000 + phones)


def start(lab: Lab, unit: str, phones: int) -> None:
    """In the unit's namespace, left to init; it listens on the service address before that is there."""
    explicit: dict[str, Plain] = {
        f"extensions.{number}.password": password(number) for number in extensions(phones)
    }
    explicit |= {"network.lan.address": str(PLANS[PLAN]), "call.register_time": 3600}
    settings = Settings(model_named("qx2000"), explicit)
    folder = lab.units[unit].root / "run" / "qx" / "kamailio"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "tables").mkdir(parents=True)
    for name, text in kamailio.tables(settings).items():
        (folder / "tables" / name).write_text(text)
    (folder / "kamailio.cfg").write_text(_configuration(settings, unit, str(folder)))
    lab.exec(unit, ["sysctl", "-qw", "net.ipv4.ip_nonlocal_bind=1"]).check_returncode()
    with (folder / "log").open("ab") as log:
        subprocess.run(
            ["setsid", "--fork", *lab.exec_argv(unit, command(str(folder)))],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=True,
        )  # fmt: skip


def command(folder: str) -> list[str]:
    """As `start` starts it, with the configuration in that folder."""
    return [
        "kamailio", "-DD", "-E", "-f", f"{folder}/kamailio.cfg",
        "-m", "64", "-x", "tlsf", "-M", "8", "-Y", folder,
    ]  # fmt: skip


def _configuration(settings: Settings, unit: str, folder: str) -> str:
    own, peer = VIRTUAL_IP[unit].ip, VIRTUAL_IP["b" if unit == "a" else "a"].ip
    text = kamailio.configuration(settings, folder, "ab" * 16)
    for ours, theirs in (
        ("\nlisten=", f"\nlisten=udp:{own}:{_DMQ_PORT}\nlisten="),
        ('modparam("db_text"', _MODULES.format(own=own, peer=peer, port=_DMQ_PORT)),
        ('modparam("usrloc", "db_mode", 4)', 'modparam("usrloc", "db_mode", 0)'),
        ("request_route {\n", _ROUTE),
    ):
        assert ours in text, ours
        text = text.replace(ours, theirs, 1)
    return text
