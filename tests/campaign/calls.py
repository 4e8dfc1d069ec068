# SPDX-License-Identifier: Apache-2.0
"""calls: one call that is up before a step's fault, and is changed and ended when the pair is one again."""

from __future__ import annotations

from contextlib import ExitStack

from board.lab.pair import Lab

from labtools import wait_for
from pairs import put
from pbx.phones import TOLD, Sipp, accounts, calls_of, register, tell
from pbx.service import calls_up, reads

CALLER, CALLED = range(1990, 1991), range(1991, 1992)
CALLER_PORT, CALLED_PORT = 5061, 5062
LONGEST = 150  # seconds of a step


class Calls:
    """For a pair with Kamailio; `open` once it is one, then `begin` and `end` in turn."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._number = 0
        self._phones: list[Sipp] = []
        self._stack = ExitStack()

    def open(self, master: str) -> None:
        put(self._lab, master, "phone_reboot.policy=none", *accounts([*CALLER, *CALLED]))
        reads(self._lab, master, CALLED[0])

    def begin(self, master: str) -> None:
        """Both phones register, as phones do now and then, and one calls the other."""
        lab, start = self._lab, self._stack.enter_context
        register(lab, CALLER, 5070, CALLER_PORT)
        register(lab, CALLED, 5070, CALLED_PORT)
        self._number += 1
        self._phones = [
            start(Sipp(lab, "callee-ends", CALLED_PORT, 1, media=20000, ring=50, timeout=LONGEST)),
            start(Sipp(lab, "caller-changes", CALLER_PORT, 1, media=30000, hold=TOLD, after=0,
                       timeout=LONGEST, rows=calls_of(CALLER, CALLED), more=("-cid_str", self._call))),
        ]  # fmt: skip
        wait_for(lambda: calls_up(lab, master) == 1, 10.0, "a call is up", 0.05)

    def end(self) -> list[str]:
        """What became of it, in words, where it was lost."""
        tell(self._lab, CALLER_PORT, self._call)
        with self._stack:
            found = [phone.outcome() for phone in reversed(self._phones)]
        return [f"a call was lost: {one.said or one.code}" for one in found if one.successful != 1][:1]

    def close(self) -> None:
        """Whatever is up is over."""
        self._stack.close()

    @property
    def _call(self) -> str:
        return f"campaign-{self._number}"
