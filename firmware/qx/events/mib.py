# SPDX-License-Identifier: Apache-2.0
"""mib: QX-REDUNDANCY-MIB, made from the numbers of oids.py and the table of events.

`python -m qx.events.mib > rootfs/usr/share/snmp/mibs/QX-REDUNDANCY-MIB.txt`; a test holds the file to it and
compiles it. Nothing of a running unit reads it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from textwrap import wrap

from ..settings.groups.notification import EVENTS
from . import oids

REVISION = "202611230000Z"

HEAD = f"""QX-REDUNDANCY-MIB DEFINITIONS ::= BEGIN

-- Made by `python -m qx.events.mib`; do not edit.

IMPORTS
    MODULE-IDENTITY, OBJECT-TYPE, NOTIFICATION-TYPE, Integer32, Unsigned32, Gauge32, enterprises
        FROM SNMPv2-SMI
    TEXTUAL-CONVENTION, TruthValue
        FROM SNMPv2-TC
    SnmpAdminString
        FROM SNMP-FRAMEWORK-MIB
    MODULE-COMPLIANCE, OBJECT-GROUP, NOTIFICATION-GROUP
        FROM SNMPv2-CONF;

qxRedundancyMIB MODULE-IDENTITY
    LAST-UPDATED "{REVISION}"
    ORGANIZATION "QX"
    CONTACT-INFO "The vendor of the device."
    DESCRIPTION
        "A pair of IP PBX units, of which one is Master and the other Backup: its state, its last events, and
         a notification for each kind of event. A promotion is told by the notifications of RFC 2787 or RFC
         6527 as well, whose tables the units answer."
    REVISION "{REVISION}"
    DESCRIPTION "The first."
    ::= {{ enterprises {oids.ENTERPRISE} 1 }}

qxNotifications OBJECT IDENTIFIER ::= {{ qxRedundancyMIB 0 }}
qxObjects       OBJECT IDENTIFIER ::= {{ qxRedundancyMIB 1 }}
qxConformance   OBJECT IDENTIFIER ::= {{ qxRedundancyMIB 2 }}
qxPair          OBJECT IDENTIFIER ::= {{ qxObjects 1 }}
qxSaid          OBJECT IDENTIFIER ::= {{ qxObjects 3 }}

QxSeverity ::= TEXTUAL-CONVENTION
    STATUS current
    DESCRIPTION
        "How much an event matters, with the numbers of ItuPerceivedSeverity (RFC 3877): cleared is a good
         event, which ends what a bad one of its subject told; indeterminate is information."
    SYNTAX INTEGER {{ cleared(1), indeterminate(2), critical(3), major(4), minor(5), warning(6) }}
"""

TEXT = "SnmpAdminString (SIZE (0..255))"

# Below qxPair: (name, syntax, what it is).
SCALARS = (
    ("qxSerial", TEXT, "The serial number of this unit."),
    ("qxModel", TEXT, "Its model."),
    ("qxFirmware", TEXT, "The release of its firmware."),
    ("qxRole", "INTEGER { standalone(1), starting(2), master(3), backup(4), fault(5) }", "What it is now."),
    ("qxMode", "INTEGER { none(0), active(1), passive(2) }", "Of a Backup: does it take over by itself?"),
    ("qxWhy", TEXT, "In fault the reason; on a Backup why it would not take over."),
    ("qxGroupId", "Unsigned32 (0..255)", "The Redundant Group ID; 0 outside of a group."),
    ("qxProtected", "TruthValue", "Is there a Backup that would take over now?"),
    ("qxPeerSerial", TEXT, "The serial number of the other unit; empty where it is not known."),
    ("qxPeerState", "INTEGER { unknown(0), starting(1), master(2), backup(3), down(4) }",
     "The other unit, as it said of itself."),
    ("qxPeerMode", "INTEGER { none(0), active(1), passive(2) }", "The mode of the other unit as Backup."),
    ("qxSyncState", TEXT, "How far the settings of the two units are the same."),
    ("qxSyncAge", "Integer32 (-1..2147483647)",
     "Seconds since the Backup's state was that of the Master; -1 where it is not known."),
    ("qxPendingEvents", "Gauge32", "Warnings and critical events that nobody has marked as read."),
)  # fmt: skip

# Columns of qxEventTable after its index: (name, syntax, what it is).
COLUMNS = (
    ("qxEventId", TEXT, "The same on both units and in every notification."),
    ("qxEventUnit", TEXT, "The serial number of the unit on which it happened."),
    ("qxEventTime", TEXT, "When, as RFC 3339, in UTC."),
    ("qxEventSeverity", "QxSeverity", "How much it matters."),
    ("qxEventSource", TEXT, "What it is about."),
    ("qxEventName", TEXT, "Its name, in the words of the manual."),
    ("qxEventDescription", "SnmpAdminString (SIZE (0..2000))", "What happened."),
    ("qxEventState", "INTEGER { new(1), read(2) }", "Has somebody marked it as read?"),
    ("qxEventCleared", "TruthValue", "Is it over?"),
)

# Below qxSaid, by oids.SAYS.
SAYS = {
    "Id": (TEXT, "The same in each repetition, whichever unit sends it."),
    "Unit": (TEXT, "The serial number of the unit on which it happened."),
    "Severity": ("QxSeverity", "How much it matters."),
    "Source": (TEXT, "What it is about."),
    "Name": (TEXT, "Its name, in the words of the manual."),
    "Description": ("SnmpAdminString (SIZE (0..2000))", "What happened."),
    "Time": (TEXT, "When, as RFC 3339, in UTC."),
}


def notification_name(key: str) -> str:
    return "qx" + "".join(word.capitalize() for word in key.split("-")) + "Notice"


def said_name(name: str) -> str:
    return f"qxSaid{name}"


def module() -> str:
    return "\n".join([HEAD, *_scalars(), *_events(), *_said(), *_notifications(), *_conformance(), "END\n"])


def _object(name: str, syntax: str, access: str, what: str, at: str) -> str:
    return (
        f"{name} OBJECT-TYPE\n    SYNTAX {syntax}\n    MAX-ACCESS {access}\n    STATUS current\n"
        f"    DESCRIPTION {_text(what)}\n    ::= {{ {at} }}\n"
    )


def _text(what: str) -> str:
    return '"' + "\n        ".join(wrap(what.replace('"', "'"), 90)) + '"'


def _scalars() -> Iterator[str]:
    for number, (name, syntax, what) in enumerate(SCALARS, 1):
        yield _object(name, syntax, "read-only", what, f"qxPair {number}")


def _events() -> Iterator[str]:
    yield _object("qxEventTable", "SEQUENCE OF QxEventEntry", "not-accessible",
                  "The last events of both units, as this unit knows them.", "qxObjects 2")  # fmt: skip
    yield _object("qxEventEntry", "QxEventEntry", "not-accessible", "An event.", "qxEventTable 1").replace(
        "    ::=", "    INDEX { qxEventIndex }\n    ::="
    )
    rows = ["    qxEventIndex Unsigned32", *(f"    {name} {_base(syntax)}" for name, syntax, _ in COLUMNS)]
    yield "QxEventEntry ::= SEQUENCE {\n" + ",\n".join(rows) + "\n}\n"
    yield _object("qxEventIndex", "Unsigned32 (1..4294967295)", "not-accessible",
                  "Counts up in this unit's log, across reboots.", "qxEventEntry 1")  # fmt: skip
    for number, (name, syntax, what) in enumerate(COLUMNS, 2):
        yield _object(name, syntax, "read-only", what, f"qxEventEntry {number}")


def _base(syntax: str) -> str:
    return "INTEGER" if syntax.startswith("INTEGER") else syntax.split(" (", maxsplit=1)[0]


def _said() -> Iterator[str]:
    for name, number in oids.SAYS.items():
        syntax, what = SAYS[name]
        yield _object(said_name(name), syntax, "accessible-for-notify", what, f"qxSaid {number}")


def _notifications() -> Iterator[str]:
    objects = ", ".join(map(said_name, oids.SAYS))
    for key, number in oids.EVENTS.items():
        yield (
            f"{notification_name(key)} NOTIFICATION-TYPE\n    OBJECTS {{ {objects} }}\n    STATUS current\n"
            f"    DESCRIPTION {_text(EVENTS[key] + '.')}\n    ::= {{ qxNotifications {number} }}\n"
        )


def _conformance() -> Iterator[str]:
    yield (
        "qxCompliances OBJECT IDENTIFIER ::= { qxConformance 1 }\n"
        "qxGroups      OBJECT IDENTIFIER ::= { qxConformance 2 }\n"
    )
    yield (
        'qxCompliance MODULE-COMPLIANCE\n    STATUS current\n    DESCRIPTION "A unit."\n    MODULE\n'
        "        MANDATORY-GROUPS { qxObjectGroup, qxNotificationGroup }\n    ::= { qxCompliances 1 }\n"
    )
    names = [*(name for name, _, _ in SCALARS), *(name for name, _, _ in COLUMNS), *map(said_name, oids.SAYS)]
    yield _group("qxObjectGroup", "OBJECT-GROUP", "OBJECTS", names, 1)
    named = list(map(notification_name, oids.EVENTS))
    yield _group("qxNotificationGroup", "NOTIFICATION-GROUP", "NOTIFICATIONS", named, 2)


def _group(name: str, kind: str, what: str, names: list[str], number: int) -> str:
    listed = ",\n        ".join(names)
    return (
        f"{name} {kind}\n    {what} {{\n        {listed}\n    }}\n    STATUS current\n"
        f'    DESCRIPTION "All there are."\n    ::= {{ qxGroups {number} }}\n'
    )


if __name__ == "__main__":
    sys.stdout.write(module())
