# SPDX-License-Identifier: Apache-2.0
"""client: asks the daemon of a root over its control socket. Blocking, with time limits, and light.

Uses `_socket`, the C module below `socket`: `qx status` may run in a loop on a small unit, and `socket`
costs more to import than the whole question (it brings enum and selectors).
"""

from __future__ import annotations

import _socket
import os

from ..errors import NoDaemon, NotProvisioned, Refusal, WrongUsage
from ..paths import CONTROL_SOCKET, IDENTITY
from . import protocol

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from ..paths import Paths

CONNECT = 2.0  # seconds
ANSWER = 10.0  # seconds without a word from the daemon, unless the caller allows more


def call(paths: Paths, operation: str, arguments: dict[str, Any] | None = None, wait: float = ANSWER) -> Any:
    """The result of one operation. Raises NoDaemon when none runs on that root, Refusal when it refuses."""
    result = None
    for kind, value in _exchange(paths, operation, arguments or {}, wait):
        if kind == "result":
            result = value
    return result


def follow(paths: Paths, operation: str, arguments: dict[str, Any] | None = None) -> Iterator[Any]:
    """The items of a stream, without a time limit between them, until the daemon ends it."""
    return (value for kind, value in _exchange(paths, operation, arguments or {}, None) if kind == "item")


def _exchange(
    paths: Paths, operation: str, arguments: dict[str, Any], wait: float | None
) -> Iterator[tuple[str, Any]]:
    sock = _connect(paths)
    try:
        sock.settimeout(ANSWER if wait is None else wait)
        request = protocol.frame({"op": operation, "args": arguments}, protocol.REQUEST_MAX)
        try:  # noqa: SIM105 - contextlib is dear to import
            sock.sendall(request)
        except (BrokenPipeError, ConnectionResetError):
            pass  # turned away before it was read: the answer says why
        sock.settimeout(wait)
        while True:
            reply = protocol.message(
                _read(sock, protocol.body_length(_read(sock, protocol.HEADER), protocol.REPLY_MAX))
            )
            if "error" in reply:
                refused = (WrongUsage if reply.get("code") == 2 else Refusal)(str(reply["error"]))
                refused.reason = str(reply.get("reason", ""))
                refused.fields = tuple((str(path), str(text)) for path, text in reply.get("fields", ()))
                raise refused
            if "item" not in reply:
                yield "result", reply.get("result")
                return
            yield "item", reply["item"]
    except TimeoutError:
        raise Refusal(f"{operation}: the daemon did not answer within {wait:g} s") from None
    except (BrokenPipeError, ConnectionResetError):
        raise Refusal(f"{operation}: the daemon went away before it answered") from None
    finally:
        sock.close()


def _connect(paths: Paths) -> _socket.socket:
    path = paths.text(CONTROL_SOCKET)
    sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    folder = -1
    try:
        sock.settimeout(CONNECT)
        if len(os.fsencode(path)) > protocol.SOCKET_PATH_MAX:
            # Longer than a socket's address can be: go there by the folder's handle.
            folder = os.open(path.rpartition("/")[0], os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            path = f"/proc/self/fd/{folder}/control.sock"
        sock.connect(path)
    except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
        sock.close()
        raise _absent(paths) from None
    except TimeoutError:
        sock.close()
        raise Refusal(f"the daemon took no connection within {CONNECT:g} s") from None
    except OSError as error:
        sock.close()
        raise Refusal(f"{paths.text(CONTROL_SOCKET)}: {error.strerror or error}") from None
    finally:
        if folder >= 0:
            os.close(folder)
    return sock


def _absent(paths: Paths) -> Refusal:
    """Why nobody answers: no unit, or a unit whose daemon does not run."""
    root = paths.text("").rstrip("/") or "/"
    if not os.access(paths.text(IDENTITY), os.F_OK):
        return NotProvisioned(
            f"{paths.text(IDENTITY)}: not found: {root} is not provisioned; "
            "run `qx provision --root DIR --model MODEL --serial SERIAL` first"
        )
    return NoDaemon(f"no daemon runs on {root}; expected `qx daemon` to be running there")


def _read(sock: _socket.socket, length: int) -> bytes:
    octets = b""
    while len(octets) < length:
        part = sock.recv(min(length - len(octets), 1 << 16))
        if not part:
            raise ConnectionResetError
        octets += part
    return octets
