# SPDX-License-Identifier: Apache-2.0
"""model: the table of models (SPEC "Models"), read by build and runtime alike.

Data only: a line here is all that differs between models. Touches no file. `python -m qx.model` prints the
table as JSON for the build.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from .errors import Refusal


@dataclass(frozen=True, slots=True)
class Model:
    name: str  # as in contracts and on the command line
    title: str  # as in the guide
    lan_address: str  # regular LAN address, default
    wan: bool  # has a WAN port
    backup_gui_port: bool  # has the Backup Device GUI Access Port
    flash_led: bool  # offers the Flash LED action
    fxo: bool
    isdn: bool
    phones: int  # most phones


MODELS: dict[str, Model] = {
    model.name: model
    for model in (
        #     name         title       LAN address         WAN    GUI port LED   FXO    ISDN   phones
        Model("qx50", "QX50", "172.30.0.1/24", True, True, True, True, False, 50),
        Model("qx200", "QX200", "172.30.0.1/24", True, True, True, True, False, 200),
        Model("qx2000", "QX2000", "192.168.0.200/24", False, False, False, False, False, 2000),
        Model("qxisdn4+", "QXISDN4+", "172.30.0.1/24", True, True, True, False, True, 128),
    )
}


def model_named(name: str) -> Model:
    """The model of that name, in capitals or not. Raises Refusal that lists the models."""
    found = MODELS.get(name.lower())
    if found is None:
        raise Refusal(f"model: {name!r} is not a model; expected one of {', '.join(MODELS)}")
    return found


if __name__ == "__main__":
    import json

    print(json.dumps([asdict(model) for model in MODELS.values()], indent=1))
