"""Both units side by side, live: what `make run` shows. Ends with Ctrl-C or q and takes the lab down.

On a terminal the picture is drawn in place four times a second and keys work; otherwise one line is printed
per change. A second terminal may use the lab's commands at the same time.
"""

import select
import shutil
import signal
import sys
import termios
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from . import namespace
from .network import UNITS
from .pair import Lab
from .probe import Outage
from .watcher import EVENTS_SHOWN, Seen, Watcher, mapping

_HELP = (
    "1 2 power a b off/on   x X cable of a b   c C kill the daemon of a b   s swap   q end",
    "in a second terminal: board/lab/lab power a off, cut b, split, heal, status, …",
)
_COLOURS = {
    "master": "32;1",
    "backup": "36",
    "fault": "31;1",
    "starting": "33",
    "off": "90",
    "no answer": "31",
}


# ── from what was seen to text ──


def _clock(value: Any) -> str:
    """A wall clock time in seconds as the time of day; nothing else is shown."""
    return time.strftime("%H:%M:%S", time.localtime(value)) if isinstance(value, int | float) else ""


def _shown(record: dict[str, Any], key: str) -> str:
    return str(record[key]) if record.get(key) is not None else "-"


def _words(value: Any) -> str:
    """A list of names or records in one line."""
    items: list[Any] = value if isinstance(value, list) else []
    return ", ".join(str(mapping(item).get("name") or mapping(item).get("text") or item) for item in items)


def event_line(event: Any) -> str:
    """One event of `qx events --json` in a line."""
    record = mapping(event)
    told = ": ".join(str(record[key]) for key in ("name", "description") if record.get(key))
    return f"{_clock(record.get('time'))} {told}".strip()


def leds_line(leds: dict[str, Any]) -> str:
    """What the front panel says: `green, steady: Master, protected by an active Backup.`"""
    if not leds:
        return "dark"
    alert = " + yellow blinks" if leds.get("alert") else ""
    return f"{leds.get('colour')} {leds.get('words')}{alert} ({leds.get('state')})"


def rows(unit: str, seen: Seen) -> list[tuple[str, str]]:
    """Label and value, the same labels for every unit, so that two columns line up."""
    qx, status = seen.qx, seen.status
    vrrp, peer, sync = mapping(qx.get("vrrp")), mapping(qx.get("peer")), mapping(qx.get("sync"))
    counters = mapping(vrrp.get("counters"))
    mode = f" ({qx['mode']})" if qx.get("mode") else ""
    links = "  ".join(
        f"{name} {'up' if carrier else 'DOWN'}" for name, carrier in mapping(status.get("link")).items()
    )
    held = "  ".join(
        f"{address}@{name}" for address, name in mapping(status.get("service_addresses")).items()
    )
    described = " ".join(str(peer[key]) for key in ("state", "mode", "serial", "firmware") if peer.get(key))
    return [
        (f"unit {unit}", str(qx.get("serial") or "")),
        ("role", f"{seen.role}{mode}"),
        ("since", _clock(qx.get("since"))),
        ("why", str(qx.get("why") or "")),
        ("links", links),
        ("holds", held or ("no service address" if status.get("powered") else "")),
        (
            "VRRP",
            f"{_shown(vrrp, 'state')}  sent {_shown(counters, 'adverts_sent')}"
            f"  received {_shown(counters, 'adverts_received')}",
        ),
        ("peer", described or "-"),
        (
            "sync",
            f"revision {_shown(sync, 'revision')}  peer {_shown(sync, 'peer_revision')}  "
            f"age {_shown(sync, 'age_s')} s",
        ),
        ("applications", _words(qx.get("applications")) or "-"),
        ("LEDs", leds_line(mapping(qx.get("leds")))),
        ("mismatches", _words(qx.get("mismatches")) or "none"),
        ("says", str(status.get("error") or "")),
    ]


def outage_line(outage: Outage | None, address: str) -> str:
    """The PC's view of the service address."""
    if outage is None:
        return f"{address} has answered the PC without a pause"
    if outage.over:
        return f"{address}: last outage seen by the PC {outage.ms:.0f} ms"
    return f"{address}: silent for {outage.ms / 1000:.1f} s"


def page(
    seen: dict[str, Seen], outage: str, notice: str, width: int, height: int, phones: str = ""
) -> list[str]:
    """The picture: lines with ANSI colours, none wider than the terminal, none below its end."""
    column = max((width - 3) // 2, 24)

    def cell(label: str, value: str) -> str:
        text = f"{label:<13}{value}"[:column].ljust(column)
        colour = _COLOURS.get(value.partition(" (")[0], "") if label == "role" else ""
        colour = colour or ("1" if label.startswith("unit") else "")
        return f"\x1b[{colour}m{text}\x1b[0m" if colour else text

    pairs = zip(*(rows(unit, seen[unit]) for unit in UNITS), strict=True)
    lines = [" │ ".join(cell(*entry) for entry in pair) for pair in pairs]
    lines.append("─" * min(width, 2 * column + 3))
    for place in range(EVENTS_SHOWN):
        texts = [
            event_line(seen[unit].events[-1 - place]) if place < len(seen[unit].events) else ""
            for unit in UNITS
        ]
        lines.append(" │ ".join(text[:column].ljust(column) for text in texts))
    lines.append("─" * min(width, 2 * column + 3))
    lines += [text[:width] for text in (outage, phones, notice, *_HELP)]
    return lines[:height]


def change_line(unit: str, seen: Seen) -> str:
    """What of a unit is worth a line when it changes: no counters, no ages."""
    shown = dict(rows(unit, seen))
    kept = ("role", "why", "LEDs", "links", "holds", "peer", "mismatches", "says")
    told = (f"{key} {shown[key]}" for key in kept if shown[key] not in ("", "-", "none"))
    return f"{unit}: " + "; ".join(told)


# ── the terminal ──


@contextmanager
def _terminal() -> Iterator[None]:
    """Keys one by one, the alternate screen, no cursor; everything as it was in every case."""
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    try:
        tty.setcbreak(descriptor)
        sys.stdout.write("\x1b[?1049h\x1b[?25l")
        yield
    finally:
        sys.stdout.write("\x1b[?25h\x1b[?1049l")
        sys.stdout.flush()
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def _draw(watcher: Watcher) -> None:
    while True:
        size = shutil.get_terminal_size()
        lines = page(
            watcher.seen,
            outage_line(watcher.outage(), watcher.service),
            watcher.notice,
            size.columns,
            size.lines,
            watcher.phones.line(),
        )
        sys.stdout.write("\x1b[H" + "\n".join(f"{line}\x1b[K" for line in lines) + "\x1b[J")
        sys.stdout.flush()
        if select.select([sys.stdin], [], [], 0.25)[0]:
            pressed = sys.stdin.read(1)
            if not pressed or not watcher.key(pressed):
                return


def _print_changes(watcher: Watcher) -> None:
    shown: dict[str, str] = {}
    while True:
        lines = {unit: change_line(unit, seen) for unit, seen in watcher.seen.items() if seen.status}
        outage = watcher.outage()
        if outage is None or outage.over:  # a running one would be a line every time
            lines["pc"] = f"pc: {outage_line(outage, watcher.service)}; {watcher.phones.line()}"
        for who, line in lines.items():
            if shown.get(who) != line:
                print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)
        shown.update(lines)
        time.sleep(0.25)


def _ended(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def watch(lab: Lab) -> None:
    """Show the lab until Ctrl-C, q, SIGTERM or a hang-up; then take it down."""
    before = {number: signal.signal(number, _ended) for number in (signal.SIGTERM, signal.SIGHUP)}
    pc = lab.network.name("pc")
    shown = namespace.identity(pc)
    try:
        with Watcher(lab) as watcher:
            if sys.stdin.isatty() and sys.stdout.isatty():
                with _terminal():
                    _draw(watcher)
            else:
                _print_changes(watcher)
    except KeyboardInterrupt:
        pass  # the ordinary end
    finally:
        for number in before:  # a second signal must not leave half a lab behind
            signal.signal(number, signal.SIG_IGN)
        interrupt = signal.signal(signal.SIGINT, signal.SIG_IGN)
        if namespace.identity(pc) == shown:  # else it was taken down, or built anew, in another terminal
            lab.down()
        signal.signal(signal.SIGINT, interrupt)
        for number, handler in before.items():
            signal.signal(number, handler)
