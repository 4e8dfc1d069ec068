# SPDX-License-Identifier: Apache-2.0
"""Settings of an office, as many as are wanted. Pure."""

PHONES, EXTENSIONS = 2000, 4000  # the most that a QX2000 takes
_FEW = 10 * PHONES  # settings: up to here each phone has an extension of its own, with five of each


def office(settings: int) -> dict[str, str | bool]:
    """Extensions and phones of a QX2000, some `settings` in all: ten a person, and beyond 20,000 ever more of
    an extension's, then extensions without a phone. ValueError above what the model takes."""
    values: dict[str, str | bool] = {}
    for number in range(min(settings // 10, PHONES)):
        values |= _extension(number, 5)
        phone = "phones.00:15:65:" + ":".join(f"{number:06x}"[at : at + 2] for at in (0, 2, 4))
        values[f"{phone}.extension"] = str(10000 + number)
        values[f"{phone}.vendor"] = "yealink"
        values[f"{phone}.model"] = "T46U"
        values[f"{phone}.location"] = f"Room {number}"
        values[f"{phone}.login"] = "admin"
    for number in range(EXTENSIONS):
        if len(values) >= settings or settings <= _FEW:
            return values
        values |= _extension(number, 10)
    if len(values) < settings:
        raise ValueError(f"{settings} settings; expected at most {len(values)} of a QX2000")
    return values


def _extension(number: int, fields: int) -> dict[str, str | bool]:
    """The first so many of an extension's settings."""
    under = f"extensions.{10000 + number}"
    values: dict[str, str | bool] = {
        f"{under}.name": f"Person {number}",
        f"{under}.password": f"pass-{number:08}",
        f"{under}.voicemail": True,
        f"{under}.voicemail_pin": f"{number:04}",
        f"{under}.mail": f"person.{number}@example.com",
        f"{under}.display": f"P. {number}",
        f"{under}.enabled": True,
        f"{under}.forward": "no-answer",
        f"{under}.forward_to": f"0{number:06}",
        f"{under}.record": True,
    }
    return dict(list(values.items())[:fields])
