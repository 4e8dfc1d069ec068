# SPDX-License-Identifier: Apache-2.0
"""notification: events, what is done about each, and the ways out: mail, SMS, SNMP (R32 to R35)."""

from __future__ import annotations

from ...model import Model
from ..setting import Key, Setting
from ..texts import (
    DIALS,
    FINGERPRINT,
    HEADERS,
    MAIL_ADDRESS,
    MAIL_ADDRESSES,
    PASSPHRASE,
    SERVER,
    SMS_SENDER,
    SNMP_PASSWORD,
    URL,
    Pattern,
    Words,
)
from ..values import Choice, Flag, Text, Whole
from .gateways import GATEWAYS, OTHER

# By the key in `events.<event>`; the first three in the guide's words.
EVENTS = {
    "backup-up-active": "Backup device is UP (Active mode)",
    "backup-up-passive": "Backup device is UP (Passive mode)",
    "backup-down": "Backup device is DOWN",
    "takeover": "Takeover",
    "swap": "Swap Master Device",
    "fault": "This device is in fault",
    "pair-mismatch": "Pair mismatch",
    "address-conflict": "Address conflict",
    "link": "A port lost its link or has it again",
    "sync-stale": "Synchronisation is stale",
    "sync-conflict": "Conflict after a split",
    "deletion-held": "Deletions held",
    "settings-restored": "Settings restored from a snapshot",
    "storage": "Storage failed or is full",
    "application-failure": "Application failure",
    "phones-manual": "Phones need a manual reboot",
    "login-lockout": "Login lockout",
    "upgrade": "Upgrade result",
    "licence": "Licence change",
    "role": "This device became Master, or is it no longer, other than by a takeover or a swap",
    "network": "Network trouble other than a link or an address",
    "device": "This device did not run, or its control plane did not answer",
    "sync-stopped": "Synchronisation stopped, or began anew",
    "security": "A connection was refused, a certificate changed, or two units were paired",
    "other": "Any other event",
}

ACTIONS = Words(("display", "led", "mail", "sms", "snmp"), implying=("led", "mail"))
SNMP_HOSTS = 8


def _snmp_hosts(_model: Model) -> int:
    return SNMP_HOSTS


KEYS = {
    "<event>": Key("|".join(EVENTS), "an event of the table below", rows=tuple(EVENTS)),
    "<host>": Key("[a-z0-9][a-z0-9-]{0,31}", "a name of up to 32 small letters, digits and -",
                  most=_snmp_hosts),
}  # fmt: skip

MAIL = (
    Setting("mail.server", SERVER, None, "SMTP Server", "Mail is set up when it is known.", "shared"),
    Setting("mail.port", Whole(1, 65535), 587, "SMTP Port", "Usually 587 with STARTTLS, 465 with TLS.",
            "shared"),
    Setting("mail.security", Choice(("starttls", "tls", "none")), "starttls", "Security",
            "How the connection to the server is protected.", "shared"),
    Setting("mail.user", Text(0, 128), "", "User Name", "Empty: without authentication.", "shared"),
    Setting("mail.password", PASSPHRASE, None, "Password", "Of that user.", "shared", secret=True),
    Setting("mail.fingerprint", FINGERPRINT, None, "Certificate",
            "The SHA-256 fingerprint of the server's certificate. Empty: it has to be signed by a known "
            "authority, for the server's name.", "shared"),
    Setting("mail.sender", MAIL_ADDRESS, None, "Sender", "The address that mails come from.", "shared"),
    Setting("mail.recipients", MAIL_ADDRESSES, (), "Recipients", "Who is told of events.", "shared"),
)  # fmt: skip

SMS = (
    Setting("sms.gateway", Choice((OTHER, *GATEWAYS)), OTHER, "Gateway",
            "A well-known one brings its request: URL, method, headers, body, content type and success. It "
            "needs user name, password and sender.", "shared"),
    Setting("sms.url", URL, None, "Gateway URL",
            "Of another gateway, or in place of the known one's; {number}, {digits} (without +), {text}, "
            "{sender} and {user} in it are replaced.", "shared"),
    Setting("sms.method", Choice(("get", "post")), "post", "Method", "Of another gateway's request.",
            "shared"),
    Setting("sms.headers", HEADERS, None, "Headers",
            "Besides the usual ones; {user} and {password} in them are replaced.", "shared"),
    Setting("sms.body", Text(0, 1024), "", "Body",
            "Of a post; {number}, {digits}, {text}, {sender}, {user} and {password} in it are replaced.",
            "shared"),
    Setting("sms.content_type", Pattern("[a-z]+/[!-~]{1,60}", "a media type, like application/json"),
            "application/json", "Content Type",
            "Of another gateway's body, and how what is put into it is written.", "shared"),
    Setting("sms.user", Text(0, 128), "", "User Name",
            "For basic authentication, unless headers or body have it. Empty: without.", "shared"),
    Setting("sms.password", PASSPHRASE, None, "Password or Token", "Of that user.", "shared", secret=True),
    Setting("sms.sender", SMS_SENDER, None, "Sender", "Who the messages come from.", "shared"),
    Setting("sms.success", Text(0, 128), "", "Success",
            "What the answer has to contain, besides a status of 200 to 299; blanks do not count. Empty: the "
            "status is enough.", "shared"),
    Setting("sms.fingerprint", FINGERPRINT, None, "Certificate",
            "The SHA-256 fingerprint of the gateway's certificate. Empty: as for mail.", "shared"),
    Setting("sms.recipients", DIALS, (), "Recipients", "Who is told of events.", "shared"),
)  # fmt: skip

SNMP = (
    Setting("snmp.agent", Flag(), False, "Agent", "Answers to SNMP: the VRRP tables and our own, read-only, "
            "for whoever knows the community, or the user and both passwords.", "shared"),
    Setting("snmp.community", PASSPHRASE, None, "Community", "Of version 2c. Empty: it is not answered.",
            "shared", secret=True),
    Setting("snmp.user", Pattern("[!-~]{1,32}", "1 to 32 characters of ASCII without spaces"), None, "User",
            "Of version 3, with SHA-256 and AES. Empty: it is not answered.", "shared"),
    Setting("snmp.auth_password", SNMP_PASSWORD, None, "Authentication Password", "Of that user.", "shared",
            secret=True),
    Setting("snmp.privacy_password", SNMP_PASSWORD, None, "Privacy Password", "Of that user.", "shared",
            secret=True),
    Setting("snmp.contact", Text(0, 128), "", "Contact", "Who looks after this device.", "shared"),
    Setting("snmp.location", Text(0, 128), "", "Location", "Where it stands.", "shared"),
    Setting("snmp.hosts.<host>.address", SERVER, None, "Address",
            "Where notifications go; a host without one gets none.", "shared"),
    Setting("snmp.hosts.<host>.port", Whole(1, 65535), 162, "Port", "Its UDP port.", "shared"),
    Setting("snmp.hosts.<host>.version", Choice(("2c", "3")), "2c", "Version", "2c, or 3 with a user.",
            "shared"),
    Setting("snmp.hosts.<host>.inform", Flag(), True, "Inform",
            "Repeated until the host confirms it; otherwise a trap.", "shared"),
    Setting("snmp.hosts.<host>.community", PASSPHRASE, None, "Community", "Of version 2c.", "shared",
            secret=True),
    Setting("snmp.hosts.<host>.user", Pattern("[!-~]{1,32}", "1 to 32 characters of ASCII without spaces"),
            None, "User", "Of version 3.", "shared"),
    Setting("snmp.hosts.<host>.auth_protocol", Choice(("none", "sha", "sha256")), "sha",
            "Authentication", "Of version 3.", "shared"),
    Setting("snmp.hosts.<host>.auth_password", SNMP_PASSWORD, None, "Authentication Password",
            "Of version 3.", "shared", secret=True),
    Setting("snmp.hosts.<host>.privacy_protocol", Choice(("none", "aes")), "aes", "Privacy",
            "Of version 3.", "shared"),
    Setting("snmp.hosts.<host>.privacy_password", SNMP_PASSWORD, None, "Privacy Password",
            "Of version 3.", "shared", secret=True),
)  # fmt: skip

ON_EVENTS = (
    Setting("events.<event>.actions", ACTIONS, ("display",), "Actions",
            "What is done. led is not on the QX2000; led and mail bring display with them.", "shared"),
)  # fmt: skip

SETTINGS = (*MAIL, *SMS, *SNMP, *ON_EVENTS)
