# SPDX-License-Identifier: Apache-2.0
"""naming: which names voice files may have, and names that no other unit gives. Pure.

A path is octets, as the file system has them: parts between slashes, relative to the tree. Both units hold to
the same limits, so what one can scan the other can store, also below `.trash/<date>/`.
"""

from __future__ import annotations

from hashlib import blake2b

PATH_MAX = 1024  # octets
NAME_MAX = 255  # octets; what Linux file systems take
DEPTH_MAX = 16  # parts of a path
STAGING, TRASH = b".sync", b".trash"
RESERVED = (STAGING, TRASH)  # at the top of the tree: ours, not voice data
_BASE32 = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's, as ULIDs have it


def split(path: bytes) -> tuple[bytes, bytes]:
    """Folder (empty at the top) and name."""
    folder, _, name = path.rpartition(b"/")
    return folder, name


def joined(folder: bytes, name: bytes) -> bytes:
    return folder + b"/" + name if folder else name


def folders(path: bytes) -> list[bytes]:
    """The folders in which it is, the innermost first; the top is left out."""
    found: list[bytes] = []
    while path := split(path)[0]:
        found.append(path)
    return found


def fault(path: bytes) -> str:
    """What is wrong with the path of a voice file, and what was expected; empty where nothing is."""
    parts = path.split(b"/")
    if len(path) > PATH_MAX:
        return f"a path of {len(path)} octets; expected at most {PATH_MAX}"
    if len(parts) > DEPTH_MAX:
        return f"a path of {len(parts)} parts; expected at most {DEPTH_MAX}"
    if parts[0] in RESERVED:
        return f"a path within {shown(parts[0])}; expected one of voice data"
    for part in parts:
        if part in (b"", b".", b"..") or b"\0" in part:
            return f"{shown(path)}: expected names between single slashes"
        if len(part) > NAME_MAX:
            return f"a name of {len(part)} octets; expected at most {NAME_MAX}"
    return ""


def shown(path: bytes) -> str:
    """For people: one line, in quotes, what is no UTF-8 as escapes."""
    text = path.decode("utf-8", "backslashreplace")
    clean = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)
    return "'" + (clean if len(clean) <= 120 else clean[:117] + "...") + "'"


def unique_name(serial: str, suffix: str, now_ms: int, randomness: bytes) -> str:
    """A name for a new recording that no other one has, on either unit: `SERIAL-ULIDsuffix`. `now_ms` is wall
    clock, milliseconds since 1970; `randomness` ten random octets. Names of one unit sort by time. Raises
    ValueError for anything else."""
    if not 0 <= now_ms < 1 << 48:
        raise ValueError(f"now_ms: {now_ms}; expected milliseconds since 1970, of 48 bits")
    if len(randomness) != 10:
        raise ValueError(f"randomness: {len(randomness)} octets; expected 10")
    number = now_ms << 80 | int.from_bytes(randomness)
    ulid = "".join(_BASE32[number >> shift & 31] for shift in range(125, -1, -5))
    name = f"{serial}-{ulid}{suffix}"
    if fault(name.encode()) or "/" in name:
        raise ValueError(f"serial, suffix: {name!r}; expected what makes a file name")
    return name


def kept_name(path: bytes, serial: str, digest: bytes) -> bytes:
    """Where a file goes whose name the other unit has with other content: the unit's serial and the begin
    of the content's hash come before the suffix. The same for the same content: keeping twice is once."""
    folder, name = split(path)
    stem, dot, suffix = name.rpartition(b".")
    if not stem or len(suffix) > 16:
        stem, dot, suffix = name, b"", b""
    added = b"." + serial.encode() + b"-" + digest[:4].hex().encode() + dot + suffix
    most = min(NAME_MAX, PATH_MAX - len(folder) - 1) - len(added)
    if len(stem) > most:  # what is cut off is told apart by a hash of it
        stem = stem[: max(most - 9, 0)] + b"." + blake2b(name, digest_size=4).hexdigest().encode()
    return joined(folder, stem + added)
