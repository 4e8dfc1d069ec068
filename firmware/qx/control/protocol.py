# SPDX-License-Identifier: Apache-2.0
"""protocol: the frames between a face and the daemon on the control socket.

A frame is four octets of length (big-endian) and that many octets of msgpack. A connection carries one
request, a map {op, args}, and its answer: {result} | {error, code, perhaps reason and fields}; a stream is
any number of {item} before it. Pure: octets in, values out; server and client do the reading. Imports msgpack
and nothing heavier, because `qx status` starts through here.
"""

from __future__ import annotations

from ..errors import Refusal
from ..packing import NotPacked, pack, unpack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

HEADER = 4  # octets
REQUEST_MAX = 4 << 20  # a configuration backup of a QX2000 with everything set is some 1.5 MiB
REPLY_MAX = 16 << 20

SOCKET_PATH_MAX = 100  # octets; sun_path holds 108 with its end


class BadFrame(Refusal):
    """The other end sent something else than the protocol."""


def frame(value: dict[str, Any], limit: int) -> bytes:
    """The octets of one message. Raises BadFrame when they would be more than `limit`."""
    body = pack(value)
    if len(body) > limit:
        raise BadFrame(f"message of {len(body)} octets; expected at most {limit}")
    return len(body).to_bytes(HEADER, "big") + body


def body_length(header: bytes, limit: int) -> int:
    """The length that a header announces. Raises BadFrame when it is 0 or more than `limit`."""
    length = int.from_bytes(header, "big")
    if not 0 < length <= limit:
        raise BadFrame(f"message of {length} octets announced; expected 1 to {limit}")
    return length


def message(body: bytes) -> dict[str, Any]:
    """Reads a body. Raises BadFrame unless it is one msgpack map with texts as keys."""
    try:
        value = unpack(body)
    except NotPacked as error:
        raise BadFrame(str(error)) from None
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise BadFrame("expected a msgpack map with texts as keys")
    return value


def request(body: bytes) -> tuple[str, dict[str, Any]]:
    """Reads a request: the operation and its arguments. Raises BadFrame."""
    value = message(body)
    operation, arguments = value.get("op"), value.get("args", {})
    if not isinstance(operation, str) or not isinstance(arguments, dict):
        raise BadFrame("expected a request of the form {op: text, args: map}")
    return operation, arguments
