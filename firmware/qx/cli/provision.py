# SPDX-License-Identifier: Apache-2.0
"""qx provision: the factory step."""

from __future__ import annotations

from pathlib import Path

from .. import provision as factory
from ..errors import WrongUsage
from . import output
from .arguments import read


def run(argv: list[str]) -> int:
    options: dict[str, bool] = dict.fromkeys(("model", "serial", "board", "lan", "wan"), True)
    arguments = read(argv, options)
    for name in ("model", "serial"):
        if name not in arguments:
            raise WrongUsage(f"--{name} is missing")
    identity = factory.provision(
        Path(arguments.option("root", "/")), **{name: arguments.option(name) for name in options}
    )
    if arguments.json:
        output.json({"serial": identity.serial, "model": identity.model.name})
    else:
        output.text(f"{identity.model.title} {identity.serial} provisioned")
    return 0
