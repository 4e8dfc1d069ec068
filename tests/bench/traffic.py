# SPDX-License-Identifier: Apache-2.0
"""What a unit sends and hears, as its own kernel counts it: TCP of one port, or whole frames of the LAN."""

import json

from board.lab import namespace
from board.lab.network import UNITS
from board.lab.pair import Lab

_HEADERS = 52  # octets: IPv4, and TCP with its timestamps; a SYN has 8 more
_TABLE = """\
table ip {table} {{
	counter seen {{ }}
	chain in {{ type filter hook input priority 0; tcp dport {port} counter name seen; }}
	chain out {{ type filter hook output priority 0; tcp sport {port} counter name seen; }}
}}
"""


class Traffic:
    """TCP of one server's port on a unit, until the unit is switched off."""

    def __init__(self, lab: Lab, unit: str, port: int) -> None:
        self._table = f"bench_{port}"
        self._nft = ["ip", "netns", "exec", lab.network.name(unit), "nft"]
        namespace.run([*self._nft, "-f", "-"], _TABLE.format(table=self._table, port=port))

    @property
    def octets(self) -> int:
        """Both ways, without headers of IP and TCP: what rsync counts of itself, but for 16 octets a
        connection."""
        told = json.loads(namespace.run([*self._nft, "-j", "list", "counter", "ip", self._table, "seen"]))
        seen = next(one["counter"] for one in told["nftables"] if "counter" in one)
        return int(seen["bytes"]) - _HEADERS * int(seen["packets"])


def frames(lab: Lab) -> int:
    """Octets of all frames that both units have sent on the LAN since each was switched on."""
    total = 0
    for unit in UNITS:
        shown = namespace.run(["ip", "-n", lab.network.name(unit), "-s", "-json", "link", "show", "lan"])
        total += int(json.loads(shown)[0]["stats64"]["tx"]["bytes"])
    return total
