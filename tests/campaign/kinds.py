# SPDX-License-Identifier: Apache-2.0
"""kinds: the faults of each rack, in words of what a rack, a switch or a process can do to a pair. Pure.

Weights: what is quick comes more often.
"""

from __future__ import annotations

from .plan import Kind

ADDRESS_LIFETIME = 3.0  # seconds after which the kernel takes a service address that nobody renews
BOOT = 20.0  # seconds from power on of both to the first answer
LINKS = 8.0  # the switch restarts: listening again, and 3 s more for the old Backup
GRACE = 2.0  # a Master's without link

LAB: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            "power", {"master": 0.0, "backup": 0.0, "both": None}, (0.2, 3.0),
            back=BOOT, role="moves", weight=3,
        ),
        Kind("kill", {"master": 0.0, "backup": 0.0, "both": BOOT}, (0.0, 0.5), role="moves", weight=3),
        Kind("kill everything", {"master": 0.0, "backup": 0.0}, (0.0, 4.0), two=ADDRESS_LIFETIME),
        Kind("hang", {"master": 1.0, "backup": 0.0}, (0.02, 2.0), weight=2),
        Kind("hang everything", {"master": 1.0, "backup": 0.0}, (0.02, 5.0), two=ADDRESS_LIFETIME),
        Kind(
            "split", {"both": 0.0}, (0.1, 3.0),
            two=None, role="stays", options=("both", "a", "b"), weight=3, once=True,
        ),
        # In one direction: who hears nothing takes over, and the other one goes on (R10). A Master that hears
        # nothing does not hear who asks for it either.
        Kind(
            "one way", {"master": None, "backup": 0.0}, (0.1, 3.0),
            two=None, back=LINKS, role="stays", options=("to", "from"),
        ),
        Kind("mute", {"master": 0.0, "backup": 0.0}, (0.3, 3.0), role="stays", weight=2),
        Kind(
            "line", {"master": 0.0, "backup": 0.0}, (0.5, 3.0),
            role="stays", options=("late", "twice", "out of order", "one in ten"), weight=3,
        ),
        Kind("flood", {"both": 0.0}, (0.5, 2.0), role="stays", once=True),
        Kind("disk full", {"master": 0.0, "backup": 0.0, "both": 0.0}, (0.5, 3.0), role="stays"),
        Kind("busy", {"both": 0.0}, (0.5, 3.0), role="stays", once=True),
        # The kernel ends a daemon that asks for more.
        Kind("no memory", {"master": 0.0, "backup": 0.0, "both": BOOT}, (0.5, 3.0)),
        Kind("cut", {"master": GRACE, "backup": 0.0, "both": None}, (0.05, 3.0), back=LINKS, weight=2),
        Kind("cut wan", {"master": 0.0, "backup": 0.0, "both": 0.0}, (0.5, 3.0)),
        Kind("swap", {"master": 0.0}, (0.0, 0.0), role="moves", weight=3),
        Kind("passive", {"backup": 0.0}, (0.2, 2.0)),
        Kind("restore", {"master": 0.0}, (0.0, 0.5), role="stays"),
        Kind("write", {"master": 0.0}, (0.0, 0.2), role="stays", weight=2),
    )
}  # fmt: skip

START = 180.0  # seconds from the start of two emulated units to the first answer
HANG = 3.0  # its board's hang_ms, after which the guardian ends a daemon that stands still

# The emulated pair's: what a lab has not (a kernel, a clock, a button and flash of its own), and what shows
# there that it is the same firmware.
VM: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            "power", {"master": 0.0, "backup": 0.0, "both": None}, (0.5, 5.0),
            back=START, role="moves", weight=2,
        ),
        Kind("button", {"master": 0.0, "backup": 0.0}, (0.5, 5.0), role="moves"),
        Kind("panic", {"master": 0.0, "backup": 0.0}, (0.0, 0.5), role="moves"),
        # Everything stands still, its clock too: it finds another Master when it goes on.
        Kind("freeze", {"master": 0.0, "backup": 0.0}, (0.5, 9.0), two=ADDRESS_LIFETIME, weight=2),
        Kind("kill", {"master": 0.0, "backup": 0.0, "both": START}, (0.0, 0.5), role="moves", weight=2),
        Kind("hang", {"master": HANG, "backup": 0.0}, (0.5, 9.0), weight=2),
        Kind(
            "clock", {"master": 0.0, "backup": 0.0, "both": 0.0}, (0.5, 5.0),
            role="stays", options=("ten seconds back", "an hour on", "a day on", "a year back"), weight=3,
        ),
        Kind("split", {"both": 0.0}, (0.5, 9.0), two=None, role="stays", weight=2, once=True),
        Kind(
            "one way", {"master": None, "backup": 0.0}, (0.5, 9.0),
            two=None, back=LINKS, role="stays", options=("to", "from"),
        ),
        Kind("mute", {"master": 0.0, "backup": 0.0}, (3.0, 9.0), role="stays"),
        Kind("loss", {"master": 0.0, "backup": 0.0}, (3.0, 9.0), role="stays"),
        Kind("cut", {"master": GRACE, "backup": 0.0, "both": None}, (0.5, 9.0), back=LINKS, weight=2),
        Kind("cut wan", {"master": 0.0, "backup": 0.0, "both": 0.0}, (0.5, 9.0)),
        Kind("disk full", {"master": 0.0, "backup": 0.0, "both": 0.0}, (0.5, 5.0), role="stays"),
        Kind("busy", {"master": 0.0, "backup": 0.0}, (0.5, 5.0), role="stays"),
        Kind("swap", {"master": 0.0}, (0.0, 0.0), role="moves", weight=2),
        Kind("passive", {"backup": 0.0}, (0.5, 5.0)),
        Kind("restore", {"master": 0.0}, (0.0, 0.5), role="stays"),
        Kind("write", {"master": 0.0}, (0.0, 0.2), role="stays"),
    )
}  # fmt: skip
