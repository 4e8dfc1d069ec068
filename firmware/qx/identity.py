# SPDX-License-Identifier: Apache-2.0
"""identity: who this unit is: serial number and model, from data/qx/identity.toml under the root.

The file is what makes a root provisioned. It is written once, by the factory step, and only read afterwards.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .errors import NotProvisioned, Refusal
from .model import Model, model_named

if TYPE_CHECKING:
    from pathlib import Path

    from .paths import Paths


@dataclass(frozen=True, slots=True)
class Identity:
    serial: str
    model: Model


def serial_number(field: str, text: str) -> str:
    """Checks a serial number: 1 to 24 of letters, digits, `+` and `-`. Raises Refusal naming `field`."""
    if not re.fullmatch(r"[A-Za-z0-9+-]{1,24}", text):
        raise Refusal(
            f"{field}: {text!r} is not a serial number; "
            "expected 1 to 24 letters, digits, '+' or '-', like QX200-000001"
        )
    return text


def to_toml(identity: Identity) -> str:
    return (
        "# Who this unit is. Written once by `qx provision`.\n"
        f'serial = "{identity.serial}"\nmodel = "{identity.model.name}"\n'
    )


def read_identity(paths: Paths) -> Identity:
    """Reads the identity. Raises NotProvisioned when there is none, Refusal when it is damaged."""
    return read_identity_in(paths.identity)


def read_identity_in(file: Path) -> Identity:
    """As `read_identity`, from that file."""
    try:
        table: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise NotProvisioned(
            f"{file}: not found: this root is not provisioned; "
            "run `qx provision --root DIR --model MODEL --serial SERIAL` first"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Refusal(f"{file}: not readable as TOML ({error})") from None
    for key in ("serial", "model"):
        if not isinstance(table.get(key), str):
            raise Refusal(f"{file}: {key}: expected a text in quotes")
    return Identity(serial_number(f"{file}: serial", table["serial"]), model_named(table["model"]))
