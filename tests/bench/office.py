# SPDX-License-Identifier: Apache-2.0
"""Settings of an office, as many as are wanted. Pure."""


def office(settings: int) -> dict[str, str | bool]:
    """Extensions and phones of a QX2000, some `settings` in all."""
    values: dict[str, str | bool] = {}
    for number in range(min(settings // 10, 2000)):
        extension = f"extensions.{10000 + number}"
        values[f"{extension}.name"] = f"Person {number}"
        values[f"{extension}.password"] = f"pass-{number:08}"
        values[f"{extension}.voicemail"] = True
        values[f"{extension}.voicemail_pin"] = f"{number:04}"
        values[f"{extension}.mail"] = f"person.{number}@example.com"
        phone = "phones.00:15:65:" + ":".join(f"{number:06x}"[at : at + 2] for at in (0, 2, 4))
        values[f"{phone}.extension"] = str(10000 + number)
        values[f"{phone}.vendor"] = "yealink"
        values[f"{phone}.model"] = "T46U"
        values[f"{phone}.location"] = f"Room {number}"
        values[f"{phone}.login"] = "admin"
    return values
