# SPDX-License-Identifier: Apache-2.0
"""Who advertises, as the PC hears it: a thread that notes when each unit's advertisements arrive.

The probe says how long the telephone was gone; this says when the other unit became Master, which is not the
same where a dead daemon leaves its addresses behind. The kernel hands a receiver by protocol number nothing
but VRRP, so the probe's replies do not pass through here.
"""

import contextlib
import socket
import struct
import time
from collections.abc import Sequence

from board.lab import namespace
from board.lab.demo import VIRTUAL_IP
from board.lab.network import PC_LAN, UNITS

from background import Background

_GROUP_ADDRESS = "224.0.0.18"
_VRRP = 112
_UNIT = {str(VIRTUAL_IP[unit].ip): unit for unit in UNITS}


class Adverts(Background):
    """Advertisements heard since it was opened: CLOCK_MONOTONIC seconds, unit, priority."""

    def __init__(self, netns: str) -> None:
        super().__init__(self._listen)
        self._socket = namespace.socket_in(netns, socket.AF_INET, socket.SOCK_RAW, _VRRP)
        membership = socket.inet_aton(_GROUP_ADDRESS) + PC_LAN.ip.packed
        self._socket.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
        self._socket.settimeout(0.2)
        self._heard: list[tuple[float, str, int]] = []

    def _close(self) -> None:
        self._socket.close()

    def _listen(self) -> None:
        while not self._over.is_set():
            with contextlib.suppress(TimeoutError):
                packet = self._socket.recv(2048)
                at = time.monotonic()
                header = 4 * (packet[0] & 0x0F)
                unit = _UNIT.get(socket.inet_ntoa(packet[12:16]))
                if unit and len(packet) >= header + 8:
                    (priority,) = struct.unpack_from("!2xB", packet, header)
                    self._heard.append((at, unit, priority))

    def since(self, moment: float) -> Sequence[tuple[float, str, int]]:
        """What arrived after the moment, in order."""
        heard = self._heard
        first = len(heard)
        while first and heard[first - 1][0] > moment:
            first -= 1
        return heard[first:]

    def first(self, unit: str, moment: float) -> float | None:
        """When the unit's first advertisement after the moment arrived that claims the role."""
        return next((at for at, who, priority in self.since(moment) if who == unit and priority), None)

    def master(self, seconds: float) -> str | None:
        """The unit that alone advertised in the last seconds; None for nobody, for two, and for a release."""
        heard = self.since(time.monotonic() - seconds)
        units = {unit for _, unit, _ in heard}
        return units.pop() if len(units) == 1 and all(priority for *_, priority in heard) else None
