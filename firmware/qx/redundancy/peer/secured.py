# SPDX-License-Identifier: Apache-2.0
"""secured: TLS on a connection of door.py, and what its failures mean."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Coroutine
from typing import Any

from ...errors import Refusal
from ...trust.tls import NotThePeer
from .refusals import REASONS, NotAuthenticated
from .talk import HANDSHAKE
from .wire import FLUSH, Wire


async def secured(
    wire: Wire, connection: socket.socket, making: Coroutine[Any, Any, ssl.SSLContext], server: bool = False
) -> None:
    """The handshake, for `wire`, with the context that `making` gives. Raises OSError; the connection is
    closed then."""
    loop = asyncio.get_running_loop()
    try:
        context = await making
        if server:
            await loop.connect_accepted_socket(
                lambda: wire,
                connection,
                ssl=context,
                ssl_handshake_timeout=HANDSHAKE,
                ssl_shutdown_timeout=FLUSH,
            )
        else:
            await loop.create_connection(
                lambda: wire,
                sock=connection,
                ssl=context,
                server_hostname="",  # addresses are settings; the pin says who it is
                ssl_handshake_timeout=HANDSHAKE,
                ssl_shutdown_timeout=FLUSH,
            )
    except BaseException:
        connection.close()
        raise


def reason(error: Exception) -> tuple[str, str]:
    """The name in refusals.REASONS for what ended a connection before it had authenticated, and a line."""
    match error:
        case NotAuthenticated():
            return error.reason, str(error)
        case NotThePeer():
            return "certificate", str(error)
        case Refusal():
            return "message", str(error)
        case ssl.SSLCertVerificationError():
            return "certificate", REASONS["certificate"]
        case ssl.SSLError() if error.reason == "PEER_DID_NOT_RETURN_A_CERTIFICATE":
            return "certificate", "no certificate; expected the pinned one"
        case TimeoutError() | ConnectionAbortedError():
            return "time", REASONS["time"]
        case ssl.SSLError():
            return "tls", REASONS["tls"]
        case _:
            return "tls", "left during the handshake"
