# SPDX-License-Identifier: Apache-2.0
"""panel: what the LEDs of the front panel say (R36).

`pattern`, `table` and `player` run unchanged under MicroPython, so a panel controller can carry them: no
dataclasses, no typing, no match. The other files are this computer's ways to its LEDs. Imports nothing of
ours but the C extension.
"""
