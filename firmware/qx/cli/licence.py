# SPDX-License-Identifier: Apache-2.0
"""qx licence, qx licence install, qx licence confirm: feature keys, and the other unit's changed certificate;
through the daemon, or on the keyring itself where none runs.

A key carries the secret of the pair. `-` reads it from standard input and `@FILE` from a file; as an argument
it stands in the shell's history and in the list of processes, which is for those who know.
"""

from __future__ import annotations

import time
from typing import Any

from ..control import client
from ..errors import NoDaemon, Refusal, WrongUsage
from . import given, output
from .arguments import Arguments, read
from .reboot import HOWS, asking

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..paths import Paths
    from ..trust.keyring import Keyring

INSTALL_WAIT = 30.0  # seconds; flash may be slow
START_WAIT = 5.0  # seconds for a daemon that is starting: it has the keyring and not yet its socket
KEY_MAX = 1 << 16  # octets read; a key has some 500


def run(argv: list[str]) -> int:
    arguments = read(argv, dict.fromkeys(HOWS, False), count=(0, None))
    if not arguments.positional:
        return _list(arguments.paths, arguments.json)
    verb, *words = arguments.positional
    if verb == "confirm":
        if words:
            raise WrongUsage("confirm: expected nothing behind it")
        return _confirm(arguments.paths, arguments.json)
    if verb != "install":  # not told what it was: it may be a key
        raise WrongUsage("expected install, confirm, or nothing")
    if not words:
        raise WrongUsage("install: expected KEY, @FILE or - for standard input")
    return _install(arguments, _key(words))


def _list(paths: Paths, as_json: bool) -> int:
    try:
        found = client.call(paths, "licence")
    except NoDaemon:
        with _keyring(paths, None) as keyring:
            found = keyring.plain()
    if as_json:
        output.json(found)
    else:
        from ..control.render import licence_text  # noqa: PLC0415 - not needed for JSON

        output.text(licence_text(found))
    return 0


def _install(arguments: Arguments, text: str) -> int:
    done = _installed(arguments, text)
    if arguments.json:
        output.json(done)
    else:
        from ..control.render import installed_text  # noqa: PLC0415 - not needed for JSON

        output.text(installed_text(done))
    return 0


def _installed(arguments: Arguments, text: str) -> dict[str, Any]:
    """A Master with an active Backup asks what becomes of the role (R41); hold where nobody can be asked."""
    return _either(
        arguments.paths,
        lambda: asking(arguments, "licence_install", {"key": text}, HOWS, "hold"),
        lambda keyring: keyring.install(text).plain(),
    )


def _confirm(paths: Paths, as_json: bool) -> int:
    """Somebody on this unit confirms the changed certificate: the peer's, or this unit's own (R17)."""
    done = _either(
        paths,
        lambda: client.call(paths, "licence_confirm", {}, INSTALL_WAIT),
        lambda keyring: {"confirmed": keyring.confirm_certificate(), "pin": keyring.pin.plain()},
    )
    if not done["confirmed"]:
        raise Refusal("licence confirm: no changed certificate waits for it on this unit")
    if as_json:
        output.json(done)
        return 0
    pin = done["pin"]
    if pin["waiting"] or pin["asked"]:
        output.text(
            "Confirmed on this unit. The other unit must confirm as well: `qx licence confirm` there."
        )
    else:
        output.text(f"Confirmed on both units. The other unit's certificate is {pin['pinned']}.")
    return 0


def _either(
    paths: Paths, through: Callable[[], dict[str, Any]], without: Callable[[Keyring], dict[str, Any]]
) -> dict[str, Any]:
    """Through the daemon or without; a daemon between its start and its socket has the keyring already, so
    both are tried in turn for a while."""
    until = time.monotonic() + START_WAIT
    while True:
        try:
            return through()
        except NoDaemon:
            pass
        from ..trust.kept import KeyringBusy  # noqa: PLC0415 - not needed with a daemon

        try:
            with _keyring(paths, 0.2) as keyring:
                return without(keyring)
        except KeyringBusy:
            if time.monotonic() > until:
                raise


def _keyring(paths: Paths, write: float | None) -> Keyring:
    # Imported here: with a daemon there is no need for PyNaCl.
    from ..board import read_board  # noqa: PLC0415
    from ..identity import read_identity  # noqa: PLC0415
    from ..trust.keyring import Keyring  # noqa: PLC0415

    return Keyring(paths, read_identity(paths), read_board(paths), write)


def _key(words: list[str]) -> str:
    """The text of the key that the arguments mean; white space may have parted it. Its characters are in no
    message."""
    argument = " ".join(words)
    if argument != "-" and not argument.startswith("@"):
        return argument
    return given.octets(argument.removeprefix("@"), KEY_MAX, "a feature key").decode("utf-8", "replace")
