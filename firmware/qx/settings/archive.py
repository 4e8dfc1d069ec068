# SPDX-License-Identifier: Apache-2.0
"""archive: the configuration as one file for an administrator to keep, and back (R40).

A construct header (`headers.ARCHIVE`): magic QXAR, format version, flags (1: secrets are inside, encrypted),
model, firmware version, time, length of the body and blake2b-256 of all the rest. The body is a msgpack map:
`settings`, those of scope shared that are no secrets; `left_out`, the paths of secrets that are not inside;
`secrets`, a box, when a passphrase was given: Argon2id makes its key (the parameters are beside it), and
NaCl's SecretBox keeps it. Without a passphrase no secret leaves the unit in a file. What is the unit's own
and pair parameters are not in it, and the pair secret is no setting and never is.

Making and reading are pure (reading a box costs some 30 ms and 12 MiB); `restoring` says what to commit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, cast

from ..errors import Refusal
from ..model import MODELS, Model
from ..packing import NotPacked, pack, unpack
from . import headers
from .check import FieldError
from .field import BadSettings
from .plain import pairs
from .values import Plain
from .view import Settings

MAGIC = b"QXAR"
FORMAT = 1
SECRETS = 1  # flag
SIZE_MAX = 3 << 20  # octets; a QX2000 with everything set has 1.5 MiB
PASSPHRASE_MAX = 1024  # characters
PASSES, MEMORY = 3, 12 << 20  # Argon2id, as for passwords
PASSES_MAX, MEMORY_MAX = 16, 64 << 20  # taken from a file

# Stays even where the file is older: without it the factory's would count again, which is on the label.
ADMIN_PASSWORD = "users.admin.password"

# By the format that a step starts from: the body of that format to the next one's.
Body = dict[str, Any]
MIGRATIONS: dict[int, Callable[[Body], Body]] = {}


class BadArchive(Refusal):
    """The file is no whole configuration backup that this unit can take; nothing was touched."""


@dataclass(frozen=True, slots=True)
class Archive:
    """What a file holds; `secrets` is empty until `opened`."""

    model: str
    firmware: str
    when: int  # seconds since 1970
    settings: Mapping[str, Plain]
    left_out: frozenset[str]
    box: Mapping[str, Any] | None
    secrets: Mapping[str, Plain]


# --- making -------------------------------------------------------------------------------------------------
def make(settings: Settings, firmware: str, when: int, passphrase: str = "") -> bytes:
    """The file for these settings. Raises Refusal for a passphrase that is too long."""
    shared: dict[str, Plain] = {}
    secret: dict[str, Plain] = {}
    for path in sorted(settings.explicit_paths()):
        setting = settings.schema.find(path)
        if setting is not None and setting.scope == "shared" and setting.on(settings.model):
            (secret if setting.secret else shared)[path] = settings.explicit_value(path)
    body: Body = {"settings": tuple(shared.items()), "left_out": (), "secrets": None}
    if passphrase:
        body["secrets"] = _sealed(secret, passphrase)
    else:
        body["left_out"] = tuple(secret)
    return seal(settings.model.name, firmware, when, body)


def seal(model: str, firmware: str, when: int, body: Body, version: int = FORMAT) -> bytes:
    """Header and body as octets."""
    packed = pack(body)
    if len(packed) > SIZE_MAX - headers.ARCHIVE.sizeof():
        raise Refusal(f"backup: {len(packed)} octets; expected at most {SIZE_MAX}")
    fields = {
        "version": version,
        "flags": SECRETS if body["secrets"] else 0,
        "model": model.encode("ascii").ljust(16, b"\0"),
        "firmware": firmware.encode("ascii", "replace")[:16].ljust(16, b"\0"),
        "when": when,
        "length": len(packed),
        "digest": bytes(32),
    }
    head: bytes = headers.ARCHIVE.build(fields)
    return head[:-32] + _digest(head, packed) + packed


def _digest(head: bytes, body: bytes) -> bytes:
    return blake2b(head[:-32] + body, digest_size=32).digest()


def _key(passphrase: str, salt: bytes, passes: int, memory: int) -> bytes:
    from nacl import pwhash  # noqa: PLC0415 - dear to import, and only needed for secrets

    if len(passphrase) > PASSPHRASE_MAX:
        raise Refusal(f"passphrase: {len(passphrase)} characters; expected 1 to {PASSPHRASE_MAX}")
    octets = passphrase.encode("utf-8", "surrogatepass")
    return pwhash.argon2id.kdf(32, octets, salt, opslimit=passes, memlimit=memory)


def _sealed(secret: Mapping[str, Plain], passphrase: str) -> dict[str, Any]:
    from nacl.secret import SecretBox  # noqa: PLC0415 - see above
    from nacl.utils import random  # noqa: PLC0415

    salt = random(16)
    box = SecretBox(_key(passphrase, salt, PASSES, MEMORY))
    sealed = bytes(box.encrypt(pack(tuple(secret.items()))))
    return {"kdf": "argon2id", "salt": salt, "passes": PASSES, "memory": MEMORY, "box": sealed}


# --- reading ------------------------------------------------------------------------------------------------
def read(octets: bytes, migrations: Mapping[int, Callable[[Body], Body]] | None = None) -> Archive:
    """Reads a file of this or an older format, without its secrets. Raises BadArchive."""
    size = headers.ARCHIVE.sizeof()
    if len(octets) < size or octets[:4] != MAGIC:
        raise BadArchive(f"backup: expected a configuration backup, which begins with {MAGIC.decode()}")
    if len(octets) > SIZE_MAX:
        raise BadArchive(f"backup: {len(octets)} octets; expected at most {SIZE_MAX}")
    head, body = headers.ARCHIVE.parse(octets), octets[size:]
    steps = MIGRATIONS if migrations is None else migrations
    if head.version > FORMAT:
        raise BadArchive(f"backup: format {head.version} of newer firmware; expected {FORMAT} or older")
    if head.length != len(body) or _digest(octets[:size], body) != head.digest:
        raise BadArchive(f"backup: damaged or cut off; expected {head.length} octets behind its header")
    try:
        value = unpack(body)
        for version in range(head.version, FORMAT):
            value = steps[version](value)
        return _archive(head, value)
    except (NotPacked, KeyError, TypeError, ValueError, UnicodeDecodeError) as error:
        raise BadArchive(f"backup: format {head.version}: not readable: {error}") from None


def _archive(head: Any, value: Any) -> Archive:
    if not isinstance(value, dict):
        raise ValueError("expected a map")
    body = cast("Body", value)
    left_out, box = body["left_out"], body["secrets"]
    if not isinstance(left_out, tuple) or not (box is None or isinstance(box, dict)):
        raise ValueError("left_out and secrets: expected a list and a map")
    if bool(head.flags & SECRETS) != (box is not None) or head.flags & ~SECRETS:
        raise ValueError(f"flags {head.flags}: expected those of the body")
    return Archive(
        head.model.rstrip(b"\0").decode("ascii"),
        head.firmware.rstrip(b"\0").decode("ascii"),
        head.when,
        dict(pairs(body["settings"])),
        frozenset(map(str, cast("tuple[Any, ...]", left_out))),
        cast("dict[str, Any] | None", box),
        {},
    )


def opened(archive: Archive, passphrase: str) -> Archive:
    """With its secrets. Raises BadArchive for another passphrase or a damaged box."""
    if archive.box is None or not passphrase:
        return archive
    from nacl.exceptions import CryptoError  # noqa: PLC0415 - see above
    from nacl.secret import SecretBox  # noqa: PLC0415

    box = archive.box
    salt, passes, memory, sealed = (box.get(name) for name in ("salt", "passes", "memory", "box"))
    if (
        box.get("kdf") != "argon2id"
        or not (isinstance(salt, bytes) and len(salt) == 16 and isinstance(sealed, bytes))
        or not (isinstance(passes, int) and 1 <= passes <= PASSES_MAX)
        or not (isinstance(memory, int) and 8192 <= memory <= MEMORY_MAX)
    ):
        raise BadArchive("backup: secrets: expected a box with the parameters of Argon2id")
    try:
        secret = pairs(unpack(SecretBox(_key(passphrase, salt, passes, memory)).decrypt(sealed)))
    except (CryptoError, NotPacked, ValueError):
        raise BadArchive("passphrase: does not open the secrets; expected the one of the backup") from None
    return Archive(
        archive.model, archive.firmware, archive.when, archive.settings, archive.left_out, None, dict(secret)
    )


# --- restoring ----------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Restoring:
    """`changes` to commit; `kept` are secrets that the file does not have and the unit keeps, `missing` those
    that neither has."""

    changes: dict[str, Plain]
    kept: tuple[str, ...]
    missing: tuple[str, ...]


def restoring(now: Settings, octets: bytes, passphrase: str = "") -> Restoring:
    """What restoring this file changes: everything of scope shared becomes what the file says; the unit's own
    and pair parameters stay. Whether the result is valid is the commit's to judge. Raises BadArchive."""
    archive = read(octets)
    _same_model(archive.model, now.model)
    if archive.box is not None and not passphrase:
        raise BadArchive("passphrase: missing; expected the one of the backup, whose secrets are encrypted")
    archive = opened(archive, passphrase)
    wanted = {**archive.settings, **archive.secrets}
    errors: list[FieldError] = []
    for path in wanted:
        setting = now.schema.find(path)
        if setting is None or not setting.on(now.model):
            errors.append(FieldError(path, f"unknown; expected a setting of the {now.model.title}"))
        elif setting.scope != "shared" or setting.secret != (path in archive.secrets):
            errors.append(FieldError(path, "expected nothing in a backup but settings that units share"))
    if errors:
        raise BadSettings(errors)
    rows = {place[:2] for path in wanted if (place := now.schema.place(path))}
    kept: list[str] = []
    missing: list[str] = []
    for path in sorted({*archive.left_out, ADMIN_PASSWORD}.difference(archive.secrets)):
        setting, place = now.schema.find(path), now.schema.place(path)
        if setting is None or not setting.secret:
            continue
        if now.explicit(path):
            kept.append(path)
        elif path in archive.left_out and not (place and place[:2] not in rows):
            missing.append(path)  # of a row that had more than its secret: the others are not made anew
    changes: dict[str, Plain] = {
        path: None
        for path in now.explicit_paths()
        if path not in kept and (setting := now.schema.find(path)) and setting.scope == "shared"
    }
    return Restoring({**changes, **wanted}, tuple(kept), tuple(missing))


def _same_model(name: str, model: Model) -> None:
    if name != model.name:
        title = MODELS[name].title if name in MODELS else repr(name)
        raise BadArchive(f"backup: of a {title}; expected one of a {model.title}")
