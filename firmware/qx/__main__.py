# SPDX-License-Identifier: Apache-2.0
"""qx: the applets, one line each, imported when called.

The one place that turns errors into exit codes: 0 done, 1 refused or failed with one line on stderr that
says why, 2 wrong usage. A user never sees a traceback, a developer does with QX_DEBUG=1.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module

from .errors import Refusal, WrongUsage

# name: module, its function, what it takes, what it does
APPLETS: dict[str, tuple[str, str, str, str]] = {
    "provision": ("cli.provision", "run",
                  "--root DIR --model MODEL --serial SERIAL [--board NAME] [--lan IF] [--wan IF]",
                  "make this root a unit (factory step)"),
    "daemon": ("cli.daemon", "run", "", "run the unit in the foreground"),
    "status": ("cli.status", "run", "", "show the state of the unit and its pair"),
    "get": ("cli.settings", "run_get", "[PATH|GROUP ...]", "show settings"),
    "set": ("cli.settings", "run_set", "[--force] PATH=VALUE ...", "change settings, all of them or none"),
    "unset": ("cli.settings", "run_unset", "[--force] PATH|ROW|GROUP ...",
              "take settings back to their defaults"),
    "log": ("cli.history", "run_log", "[--last N] [--before REV]", "show what was set when, and by whom"),
    "diff": ("cli.history", "run_diff", "REV..REV", "show what changed between two revisions"),
    "revert": ("cli.history", "run_revert", "[--force] REV", "undo what a revision changed"),
    "backup": ("cli.archive", "run_backup", "[FILE|-] [--passphrase-file FILE|-]",
               "write the configuration to a file"),
    "restore": ("cli.archive", "run_restore", "[--force] FILE|- [--passphrase-file FILE|-]",
                "take the configuration from a file"),
    "sync": ("cli.sync", "run", "[status|now|allow-deletion]",
             "show what has crossed to the Backup, or compare now"),
    "swap": ("cli.role", "run_swap", "", "swap Master and Backup (on the Master)"),
    "mode": ("cli.role", "run_mode", "[active|passive]", "show or change the Backup Device Mode"),
    "licence": ("cli.licence", "run", "[install KEY|@FILE|- | confirm]",
                "show or install feature keys, or confirm the other unit's changed certificate"),
    "conflict": ("cli.conflict", "run",
                 "[list | show ID | diff ID | export ID FILE [--passphrase-file FILE|-] | "
                 "merge [--force] ID PATH ... | drop ID]",
                 "see and merge what gave way to the other unit's settings"),
    "phones": ("cli.phones", "run", "[--follow] [reboot [--policy unreachable|all] | stop]",
               "show which phones were rebooted after a takeover, or reboot them"),
    "voicemail": ("cli.voicemail", "run", "deposit BOX FILE|- [--from CALLER]",
                  "take a message for a box, a WAV file"),
    "pbx": ("cli.pbx", "run", "[status|registrations|calls|render|collect]", "show registrations and calls"),
    "events": ("cli.events", "run",
               "[--follow] [--last N] [--after ID] | read [ID ...] | test [mail|sms|snmp] | deliveries",
               "show what happened, mark it as read, try the ways out"),
    "led": ("cli.led", "run", "[--table]", "show what the LEDs of the front panel say, or may say"),
    "upgrade": ("cli.upgrade", "run", "[status | confirm | FILE|- [--hold|--swap|--now|--later|--pair]]",
                "show the firmware slots, install firmware, or confirm the one on trial"),
    "vrrp": ("cli.vrrp", "run", "decode [--group JSON]", "read VRRP packets from stdin"),
    "langpack": ("cli.langpack", "run", "[install FILE|- | remove]",
                 "show, install or remove the language pack of the pages"),
    "console": ("cli.console", "run", "[--line DEVICE] [--speed BITS] [--term NAME]",
                "the menu on a serial line, or on this terminal"),
    "reboot": ("cli.reboot", "run", "[--hold|--swap|--now]",
               "restart; an active Backup waits, becomes Master first, or takes over"),
    "factory-reset": ("cli.reboot", "run_factory_reset", "SERIAL [--swap|--now]",
                      "remove settings, keys, voice data and events, and restart"),
    "password-reset": ("cli.reboot", "run_password_reset", "", "give admin the factory's password again"),
    "password": ("cli.access", "run_password", "[USER] [--change]",
                 "give a user a new password, read from the terminal or from stdin"),
    "factory": ("cli.factory", "run",
                "show FILE | start DEVICE | "
                "write FILE --serial SERIAL --model MODEL --lan MAC [--wan MAC] [--revision N]",
                "the factory block of this hardware"),
    "version": ("cli.version", "run", "", "show the firmware's version"),
}  # fmt: skip


# What the daemon runs beside itself, as APPLETS.
INTERNAL: dict[str, tuple[str, str, str, str]] = {
    "web": ("cli.web", "run", "", "serve the embedded pages"),
    "snmp": ("cli.snmp", "run", "agent", "answer snmpd (the daemon starts it)"),
    "deliver": ("cli.deliver", "run", "", "deliver events (the daemon starts it)"),
    "flash": ("cli.flash", "run", "FILE", "write a firmware image into the idle slot"),
    "hash": ("cli.access", "run_hash", "", "check or hash a password from stdin"),
}


def usage() -> str:
    lines = [f"  {name:<14} {does}\n" for name, (_, _, _, does) in APPLETS.items()]
    return (
        f"usage: qx APPLET [--root DIR] [--json] ...\n{''.join(lines)}`qx APPLET --help` shows its arguments."
    )


def main(argv: list[str]) -> int:
    """Runs the applet that `argv` names (argv is without the program's own name). Returns the exit code."""
    if not argv or argv[0] in ("help", "-h", "--help"):
        print(usage(), file=sys.stdout if argv else sys.stderr)
        return 0 if argv else 2
    name, *rest = argv
    applets = {**APPLETS, **INTERNAL}
    if name not in applets:
        return fail(f"{name!r}: unknown applet; expected one of {', '.join(APPLETS)} (see `qx help`)", 2)
    module, function, takes, does = applets[name]
    if "--help" in rest or "-h" in rest:
        print(f"usage: qx {name} {takes} [--root DIR] [--json]\n{does}")
        return 0
    try:
        code = getattr(import_module(f"{__package__}.{module}"), function)(rest)
        sys.stdout.flush()
        return code
    except WrongUsage as error:
        return fail(f"{name}: {error}; usage: qx {name} {takes}".rstrip(), 2)
    except Refusal as error:
        return fail(str(error), error.exit_code)
    except BrokenPipeError:
        # Whoever read our output has enough. Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 1
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        return fail(f"{error.filename}: {error.strerror}" if error.filename else f"{name}: {error}", 1)
    except Exception as error:
        return fail(f"{name}: internal error: {type(error).__name__}: {error} (QX_DEBUG=1 shows more)", 1)


def fail(line: str, code: int) -> int:
    if os.environ.get("QX_DEBUG") == "1" and sys.exc_info()[0]:
        import traceback  # noqa: PLC0415 - for developers

        traceback.print_exc()
    print("qx: " + " ".join(line.split()), file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
