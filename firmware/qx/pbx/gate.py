# SPDX-License-Identifier: Apache-2.0
"""gate: the nftables rules that keep the service silent while nobody is there to serve (R22). Pure: texts.

Closed, what comes for the service is dropped without a word; that is how it stands on every Backup, so an
address that arrives brings no ICMP unreachable and no reset with it. Open, only the unreachables of an
application that has just died are kept back. Loading a text replaces the one before in one transaction of the
kernel.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address

TABLE = "qx_gate"


def rules(addresses: Sequence[IPv4Address], port: int, *, closed: bool) -> str:
    """For `nft -f`. `addresses` and `port`: of the service."""
    there = "{ " + ", ".join(str(address) for address in addresses) + " }"
    lines = [f"table inet {TABLE}", f"delete table inet {TABLE}", f"table inet {TABLE} {{"]
    if addresses and closed:
        lines += [
            "\tchain input {",
            "\t\ttype filter hook input priority -10; policy accept;",
            *(f"\t\tip daddr {there} {protocol} dport {port} counter drop" for protocol in ("udp", "tcp")),
            "\t}",
        ]
    if addresses:
        lines += [
            "\tchain output {",
            "\t\ttype filter hook output priority -10; policy accept;",
            f"\t\tip saddr {there} icmp type destination-unreachable icmp code port-unreachable counter drop",
            "\t}",
        ]
    return "\n".join([*lines, "}"]) + "\n"
