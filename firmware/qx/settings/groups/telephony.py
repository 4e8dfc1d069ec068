# SPDX-License-Identifier: Apache-2.0
"""telephony: extensions, phones, lines and calls (R21 to R23).

A row of `extensions` is an account at the registrar; a row of `phones` is a device that the PBX configures
and can reboot, by its MAC. VENDORS are those whose reboot message is known (`reference/phone-reboot.md`).
"""

from __future__ import annotations

import re

from ...model import Model
from ..setting import Key, Setting
from ..texts import DIAL, DIALS, EXTENSION, MAIL_ADDRESS, PIN, SIP_PASSWORD, Pattern, Words
from ..values import Choice, Flag, Seconds, Text, Whole

VENDORS = (
    "other", "aastra", "algo", "cisco-enterprise", "cisco-mpp", "cisco-sip", "cisco-spa", "digium", "fanvil",
    "gigaset", "grandstream", "htek", "mitel", "panasonic", "polycom", "sangoma", "snom", "snom-dect",
    "vtech", "yealink",
)  # fmt: skip

LINES = ("1", "2", "3", "4")


def _phones(model: Model) -> int:
    return model.phones


def _extensions(model: Model) -> int:
    return 2 * model.phones  # soft phones, attendants and boxes come on top of the phones on desks


def _mac(text: str) -> str:
    """00-15-65-AA-BB-CC, 001565aabbcc and 0015.65aa.bbcc are 00:15:65:aa:bb:cc."""
    digits = re.sub(r"[:-]", "", text.lower())
    if not re.fullmatch(r"[0-9a-f]{12}", digits):
        return text
    return ":".join(digits[at : at + 2] for at in range(0, 12, 2))


KEYS = {
    "<number>": Key(EXTENSION.pattern, "2 to 8 digits", most=_extensions),
    "<mac>": Key(r"(?!00:00:00:00:00:00)[0-9a-f][02468ace](?::[0-9a-f]{2}){5}",
                 "the MAC of a phone, like 00:15:65:aa:bb:cc", most=_phones, canonical=_mac),
    "<line>": Key("[1-4]", "a line from 1 to 4", rows=LINES),
    "<port>": Key("[1-4]", "a port from 1 to 4", rows=LINES),
}  # fmt: skip

EXTENSIONS = (
    Setting("extensions.<number>.name", Text(0, 64), "", "Name", "Whose extension it is.", "shared"),
    Setting("extensions.<number>.display", Text(0, 64), "", "Display Name",
            "Shown to whom the extension calls; empty: its name.", "shared"),
    Setting("extensions.<number>.password", SIP_PASSWORD, None, "SIP Password",
            "With which phones register. Without one nothing can register as this extension.", "shared",
            secret=True),
    Setting("extensions.<number>.enabled", Flag(), True, "Enabled",
            "An extension that is not enabled neither registers nor is called.", "shared"),
    Setting("extensions.<number>.voicemail", Flag(), False, "Voicemail",
            "Takes messages when nobody answers.", "shared"),
    Setting("extensions.<number>.voicemail_pin", PIN, None, "Voicemail PIN",
            "Asked for when the box is called from elsewhere.", "shared", secret=True),
    Setting("extensions.<number>.mail", MAIL_ADDRESS, None, "Mail Address",
            "Told about new voicemail.", "shared"),
    Setting("extensions.<number>.ring_time", Whole(5, 120, "seconds"), 25, "Ring Time",
            "Seconds before a call goes to voicemail or is forwarded.", "shared"),
    Setting("extensions.<number>.forward", Choice(("never", "always", "busy", "no-answer")), "never",
            "Forward Calls", "When calls go to the number below instead.", "shared"),
    Setting("extensions.<number>.forward_to", DIAL, None, "Forward To", "Where forwarded calls go.",
            "shared"),
    Setting("extensions.<number>.record", Flag(), False, "Record Calls",
            "Keeps calls of this extension as recordings.", "shared"),
)  # fmt: skip

PHONES = (
    Setting("phones.<mac>.extension", EXTENSION, None, "Extension",
            "The extension as which the phone registers.", "shared"),
    Setting("phones.<mac>.vendor", Choice(VENDORS), "other", "Vendor",
            "Decides how the phone is configured and rebooted; other: by hand.", "shared"),
    Setting("phones.<mac>.model", Text(0, 32), "", "Model", "As its maker calls it.", "shared"),
    Setting("phones.<mac>.location", Text(0, 64), "", "Location", "Where it stands.", "shared"),
    Setting("phones.<mac>.enabled", Flag(), True, "Configured by the PBX",
            "A phone that is not is left alone, and listed for a manual reboot.", "shared"),
    Setting("phones.<mac>.transport", Choice(("udp", "tcp", "tls")), "udp", "Transport",
            "Over which the phone registers.", "shared"),
    Setting("phones.<mac>.login", Pattern("[!-~]{1,32}", "1 to 32 characters of ASCII without spaces"), None,
            "Login", "Of the phone's own pages.", "shared"),
    Setting("phones.<mac>.login_password", SIP_PASSWORD, None, "Login Password",
            "Of the phone's own pages.", "shared", secret=True),
)  # fmt: skip

PHONE_REBOOT = (
    Setting("phone_reboot.policy", Choice(("unreachable", "all", "none")), "unreachable",
            "Reboot phones after a takeover",
            "unreachable: only phones that cannot be reached, because registrations and calls survive.",
            "shared", advanced=True),
    Setting("phone_reboot.pace", Seconds(10, 6000), 100, "Phone reboot pace",
            "Seconds between the reboots of two phones.", "shared", advanced=True),
)  # fmt: skip


def _fxo(model: Model) -> bool:
    return model.fxo


FXO = (
    Setting("fxo.<line>.enabled", Flag(), False, "Enabled", "Whether a telephone line is connected.",
            "shared", on=_fxo),
    Setting("fxo.<line>.name", Text(0, 64), "", "Name", "Of the line.", "shared", on=_fxo),
    Setting("fxo.<line>.extension", EXTENSION, None, "Incoming Calls To",
            "The extension that incoming calls ring.", "shared", on=_fxo),
    Setting("fxo.<line>.outgoing", Flag(), True, "Outgoing Calls", "Whether extensions may call through it.",
            "shared", on=_fxo),
    Setting("fxo.<line>.caller_id", Flag(), True, "Caller ID", "Whether the line tells who calls.", "shared",
            on=_fxo),
)  # fmt: skip


def _isdn(model: Model) -> bool:
    return model.isdn


ISDN = (
    Setting("isdn.<port>.enabled", Flag(), False, "Enabled", "Whether an ISDN line is connected.", "shared",
            on=_isdn),
    Setting("isdn.<port>.name", Text(0, 64), "", "Name", "Of the port.", "shared", on=_isdn),
    Setting("isdn.<port>.side", Choice(("user", "network")), "user", "Interface",
            "user: towards the exchange; network: towards telephones.", "shared", on=_isdn),
    Setting("isdn.<port>.connection", Choice(("multipoint", "point-to-point")), "multipoint", "Connection",
            "As the provider laid it.", "shared", on=_isdn),
    Setting("isdn.<port>.numbers", DIALS, (), "Numbers", "The MSNs of the line.", "shared", on=_isdn),
    Setting("isdn.<port>.extension", EXTENSION, None, "Incoming Calls To",
            "The extension that incoming calls ring.", "shared", on=_isdn),
    Setting("isdn.<port>.outgoing", Flag(), True, "Outgoing Calls", "Whether extensions may call through it.",
            "shared", on=_isdn),
)  # fmt: skip

CALL = (
    Setting("call.sip_port", Whole(1, 65535), 5060, "SIP Port", "On which phones register.", "shared"),
    Setting("call.register_time", Whole(60, 3600, "seconds"), 120, "Registration Time",
            "Seconds after which phones register again; short ones come back sooner by themselves.",
            "shared"),
    Setting("call.session_timer", Flag(), True, "Session Timer",
            "Ends calls whose phone is gone (RFC 4028).", "shared", advanced=True),
    Setting("call.codecs", Words(("g722", "pcma", "pcmu", "g729", "opus"), ordered=True, least=1),
            ("g722", "pcma", "pcmu"), "Codecs", "Offered to phones, in this order.", "shared"),
    Setting("call.outside_prefix", Pattern("[0-9*#]{1,4}", "up to 4 digits, * and #"), None,
            "Outside Line Prefix", "Dialled before a number outside.", "shared"),
    Setting("call.emergency_numbers", DIALS, (), "Emergency Numbers",
            "Go out without a prefix, whatever else an extension may not call.", "shared"),
    Setting("call.longest", Whole(0, 1440, "minutes"), 0, "Longest Call",
            "Minutes after which a call is ended; 0: never.", "shared"),
    Setting("call.music_on_hold", Flag(), True, "Music on Hold", "Played to whom is held.", "shared"),
)  # fmt: skip

SETTINGS = (*EXTENSIONS, *PHONES, *PHONE_REBOOT, *FXO, *ISDN, *CALL)
