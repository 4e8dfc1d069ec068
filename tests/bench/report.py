# SPDX-License-Identifier: Apache-2.0
"""The bench's result as a table for people and as JSON with every single value. Pure but for `write`."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .figures import PEER, PRODUCT, Row, summary

_HEAD = ("", "", "n", f"{PRODUCT} median", "p95", "min–max", f"{PEER} median", "p95", "min–max", "ratio", "")


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _cells(row: Row, who: str) -> list[str]:
    told = summary(row.values(who))
    if told is None:
        return ["–", "", ""]
    if told.count == 1:
        return [_number(told.median), "", ""]
    return [_number(told.median), _number(told.p95), f"{_number(told.minimum)}–{_number(told.maximum)}"]


def _beside(row: Row) -> str:
    """What else is to be known of a row: repeats and failures."""
    told: list[str] = []
    for who in row.of:
        if spoilt := row.spoilt(who):
            told.append(f"{who}: {spoilt} spoilt and repeated")
        if failed := row.failed(who):
            told.append(f"{who}: {failed} FAILED")
        if who in row.of and len(row.values(who)) + row.failed(who) < row.wanted:
            told.append(f"{who}: {len(row.values(who))} of {row.wanted} measured")
    return "; ".join(told)


def table(rows: Sequence[Row]) -> list[list[str]]:
    """Cells with the head in the first line. Ratio: median of the product over median of the peer."""
    lines: list[list[str]] = [list(_HEAD)]
    for row in rows:
        counts = sorted({len(row.values(who)) for who in row.of})
        ratio = "" if row.ratio is None else f"{row.ratio:.2f}" if row.ratio >= 0.1 else f"{row.ratio:.2g}"
        against = "" if row.peer == PEER else f"beside {row.peer}"
        beside = "; ".join(part for part in (against, row.note, _beside(row)) if part)
        lines.append(
            [
                row.name,
                row.unit,
                "/".join(map(str, counts)),
                *_cells(row, PRODUCT),
                *_cells(row, row.peer),
                ratio,
                beside,
            ]
        )
    return lines


def terminal(rows: Sequence[Row]) -> str:
    """The table in columns, remarks on lines of their own."""
    lines = table(rows)
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEAD) - 1)]
    shown: list[str] = []
    for line in lines:
        cells = [
            cell.ljust(width) if column < 2 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line[:-1], widths, strict=True))
        ]
        shown.append("  ".join(cells).rstrip())
        if line[-1]:
            shown.append(f"    ({line[-1]})")
    return "\n".join(shown)


def markdown(rows: Sequence[Row], facts: dict[str, Any]) -> str:
    """The same with what it was measured on."""
    head, *body = table(rows)
    machine, versions = facts["machine"], facts["versions"]
    lines = [
        "# keepalived and this product, in turn",
        "",
        f"Commit {facts['commit']}{' with changes' if facts['dirty'] else ''}, {facts['at']}, "
        f"seed {facts['seed']}, {facts['lasted_s']:.0f} s.",
        f"{machine['processors']} × {machine['processor']}, {machine['memory_mib']} MiB, "
        f"{machine['kernel']}, {machine['system']}; load before {facts['load_before']:.1f}.",
        f"qx {versions['qx']}; {versions['keepalived']} (Debian {versions['keepalived_package']}).",
        "",
        "Silence: the longest time without an answer of the service address to 1,000 ICMP echo requests a",
        "second from the PC. Ratio: median of the product over median of keepalived, or of what the",
        "remark names; below 1 the product is better. p95 is interpolated linearly. Every single value",
        "stands in bench.json.",
        "",
        "| " + " | ".join([*head[:-1], "remarks"]) + " |",
        "|" + "---|" * 2 + "--:|" * (len(head) - 3) + "---|",
        *("| " + " | ".join(line) + " |" for line in body),
        "",
        "![takeover](takeover.png)",
        "",
    ]
    for setting, commands in facts["commands"].items():
        lines += [f"## {setting}", ""]
        for who, told in commands.items():
            lines += [f"{who}:", "", *(f"    {line}" for line in told), ""]
    return "\n".join(lines)


def record(rows: Sequence[Row], facts: dict[str, Any]) -> dict[str, Any]:
    """Everything, for machines."""
    return {
        **facts,
        "rows": {
            row.key: {
                "name": row.name.strip(),
                "unit": row.unit,
                "note": row.note,
                "ratio": row.ratio,
                **{who: _values(row, who) for who in row.of},
            }
            for row in rows
        },
    }


def _values(row: Row, who: str) -> dict[str, Any]:
    told = summary(row.values(who))
    return {
        "summary": asdict(told) if told else None,
        "values": row.values(who),
        "samples": [asdict(sample) for sample in row.samples[who]],
    }


def write(folder: Path, rows: Sequence[Row], facts: dict[str, Any]) -> None:
    """bench.json and bench.md."""
    (folder / "bench.json").write_text(json.dumps(record(rows, facts), indent=1) + "\n")
    (folder / "bench.md").write_text(markdown(rows, facts))
