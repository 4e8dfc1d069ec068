# SPDX-License-Identifier: Apache-2.0
"""errors: what goes wrong in a way that a user can understand, as one line that says why.

Everything that a user, a file or the network can supply ends in one of these, never in a traceback. The text
names the field or file and what was expected. Imports nothing.
"""


class Refusal(Exception):
    """Refused or failed: exit code 1. `str(error)` is the line for stderr, without the program's name."""

    exit_code = 1
    reason = ""  # a word for a face that treats some refusals apart
    fields: tuple[tuple[str, str], ...] = ()  # where fields are to blame: path and problem of each


class WrongUsage(Refusal):
    """The command line itself is wrong: exit code 2."""

    exit_code = 2


class NotProvisioned(Refusal):
    """The root is no unit yet: the factory step is missing."""


class NoDaemon(Refusal):
    """No daemon answers on this root."""
