# SPDX-License-Identifier: Apache-2.0
"""unplugging: all links of a group taken at once, by one message to the kernel.

A power cut must not last: a Backup at 10 ms advertisements takes over in 20 ms, and a command that has to be
started first would leave the stopped unit's addresses reachable for longer than that on a busy machine.
"""

import errno
import os
import socket
import struct

from . import namespace
from .namespace import LabError

# linux/rtnetlink.h, linux/if_link.h, linux/netlink.h
_DELETE_LINK, _REQUEST_ACKNOWLEDGED, _GROUP, _ERROR = 17, 0x1 | 0x4, 27, 2
_HEADER, _INTERFACE, _ATTRIBUTE = "IHHII", "BxHiII", "HHI"


class Plug:
    """Opened before the cut, so that the cut itself is one system call."""

    def __init__(self, name: str, group: int) -> None:
        """`name`: the namespace that has the links' ends of that `group`. LabError where it is not there."""
        self._socket = namespace.socket_in(name, socket.AF_NETLINK, socket.SOCK_RAW, 0)
        self._group = group

    def __enter__(self) -> "Plug":
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def pull(self) -> None:
        """Returns when the links are gone. LabError where the kernel refuses."""
        form = "=" + _HEADER + _INTERFACE + _ATTRIBUTE
        size = struct.calcsize(form)
        self._socket.send(
            struct.pack(
                form, size, _DELETE_LINK, _REQUEST_ACKNOWLEDGED, 1, 0,
                socket.AF_UNSPEC, 0, 0, 0, 0,
                8, _GROUP, self._group,
            )
        )  # fmt: skip
        answer = self._socket.recv(1 << 12)
        kind, error = struct.unpack_from("=4xH10xi", answer)
        if kind != _ERROR or error not in (0, -errno.ENODEV):
            raise LabError(f"links of group {self._group}: {os.strerror(-error)}")
