# SPDX-License-Identifier: Apache-2.0
"""The bench's result: tables for people (terminal, report.md, report.html) and every single value as JSON.
Pure but for `write`."""

import base64
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from . import curves
from .curves import Topic
from .figures import PRODUCT, Row, contestants, summary
from .plan import Chapter
from .targets import judged, missed

_HELD = {True: "held", False: "NOT HELD", None: "not measured"}
_SPREAD = ("median", "p95", "min–max")
GROWTH = "How costs grow"
TITLE = "The pair beside its peers, in turn"
READING = (
    "Silence: the longest time without an answer of the service address to 1,000 ICMP echo requests a second "
    "from the PC; a process that is dead or hangs may leave the address on its unit, whose kernel goes on "
    "answering. Ratio: median of the product over median of the peer; below 1 the product is better. p95 is "
    "interpolated linearly. Every single value stands in bench.json."
)


@dataclass(frozen=True)
class Picture:
    """A PNG file beside the report."""

    file: str
    caption: str


@dataclass(frozen=True)
class Line:
    """A row's cells, as many as its table has columns; `missed`: a target of it is not held."""

    cells: list[str]
    missed: bool


@dataclass(frozen=True)
class Table:
    """`groups`: title and columns of each. One group a contestant stands between the first and the last."""

    groups: list[tuple[str, tuple[str, ...]]]
    lines: list[Line]

    @property
    def columns(self) -> list[str]:
        """All of them, a contestant's name before the first of its own."""
        return [
            f"{title} {column}".strip() if place == 0 else column
            for title, columns in self.groups
            for place, column in enumerate(columns)
        ]


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _figures(row: Row, who: str, spread: bool) -> list[str]:
    """Median, and with `spread` p95 and extremes: as many cells as the contestant's group has."""
    told = summary(row.values(who))
    more = ["", ""] if spread else []
    if told is None:
        return ["–" if who in row.of else "", *more]
    if spread and told.count > 1:
        more = [_number(told.p95), f"{_number(told.minimum)}–{_number(told.maximum)}"]
    return [_number(told.median), *more]


def _ratio(row: Row, peer: str) -> str:
    ratio = row.ratio(peer)
    return "" if ratio is None else f"{ratio:.2f}" if ratio >= 0.1 else f"{ratio:.2g}"


def _remarks(row: Row) -> str:
    """The row's note, who is not in it and why, repeats and failures."""
    told = [row.note] if row.note else []
    told += [f"{who}: {why}" for who, why in row.without.items()]
    for who in row.of:
        if spoilt := row.spoilt(who):
            told.append(f"{who}: {spoilt} spoilt and repeated")
        if failed := row.failed(who):
            told.append(f"{who}: {failed} FAILED")
        if len(row.values(who)) + row.failed(who) < row.wanted:
            told.append(f"{who}: {len(row.values(who))} of {row.wanted} measured")
    return "; ".join(told)


def table(rows: Sequence[Row], spread: bool = True) -> Table:
    """Columns for everybody whom a row is of; the cells of others are empty. `spread`: more than medians."""
    figures = _SPREAD if spread else _SPREAD[:1]
    peers = [who for who in contestants(rows) if who != PRODUCT]
    groups = [("", ("", "unit", "n")), (PRODUCT, figures)]
    groups += [(peer, (*figures, "ratio")) for peer in peers]
    groups += [("", ("target", "", "remarks"))]
    lines: list[Line] = []
    for row in rows:
        counts = sorted({len(row.values(who)) for who in row.of})
        cells = [row.name, row.unit, "/".join(map(str, counts)), *_figures(row, PRODUCT, spread)]
        for peer in peers:
            cells += [*_figures(row, peer, spread), _ratio(row, peer)]
        verdicts = judged(row)
        cells.append("; ".join(target.text for target, _ in verdicts))
        cells.append("; ".join(_HELD[held] for _, held in verdicts))
        lines.append(Line([*cells, _remarks(row)], missed(row)))
    return Table(groups, lines)


def verdict(chapters: Sequence[Chapter]) -> str:
    """How many targets are held, and which rows miss one."""
    rows = [row for chapter in chapters for row in chapter.rows]
    found = [held for row in rows for _, held in judged(row)]
    told = (
        f"Targets: {found.count(True)} held, {found.count(False)} not held, {found.count(None)} not measured."
    )
    names = [row.key for row in rows if missed(row)]
    return f"{told} NOT HELD: {', '.join(names)}." if names else told


def terminal(chapters: Sequence[Chapter]) -> str:
    """Medians and ratios in columns, remarks on lines of their own."""
    shown: list[str] = []
    for chapter in chapters:
        shown += ["", chapter.title, *([f"    ({chapter.remark})"] if chapter.remark else [])]
        shown += _columns(table(chapter.rows, spread=False)) if chapter.rows else []
    return "\n".join([*shown, "", verdict(chapters)]).lstrip("\n")


def _columns(shown: Table) -> Iterator[str]:
    lines = [shown.columns, *(line.cells for line in shown.lines)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(shown.columns) - 1)]
    for line in lines:
        cells = [
            cell.ljust(width) if column < 2 or column >= len(widths) - 2 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line[:-1], widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()
        if line[-1] and line is not lines[0]:
            yield f"    ({line[-1]})"


def origin(facts: dict[str, Any]) -> list[str]:
    """Commit, machine and versions, a line each."""
    machine, versions = facts["machine"], facts["versions"]
    packages = ", ".join(f"{name} {version}" for name, version in facts["packages"].items())
    return [
        f"Commit {facts['commit']}{' with changes' if facts['dirty'] else ''}, {facts['at']}, "
        f"seed {facts['seed']}, {facts['lasted_s']:.0f} s.",
        f"{machine['processors']} × {machine['processor']}, {machine['memory_mib']} MiB, "
        f"{machine['kernel']}, {machine['system']}; load before {facts['load_before']:.1f}.",
        f"qx {versions['qx']} (SHA-256 {versions['qx_sha256'][:16]}…), Python {versions['python']}; "
        f"Debian's {packages or 'packages: none'}.",
        f"Run with: {facts['command']}",
    ]


def markdown(
    chapters: Sequence[Chapter],
    facts: dict[str, Any],
    pictures: Sequence[Picture],
    topics: Sequence[Topic] = (),
) -> str:
    """report.md."""
    lines = [f"# {TITLE}", ""]
    for line in (verdict(chapters), *origin(facts), READING):
        lines += [line, ""]
    for chapter in chapters:
        lines += [f"## {chapter.title}", "", *([chapter.remark, ""] if chapter.remark else [])]
        lines += [*_grid(table(chapter.rows)), ""] if chapter.rows else []
    lines += [f"## {GROWTH}", "", *curves.markdown(topics)] if topics else []
    for picture in pictures:
        lines += [f"![{picture.caption}]({picture.file})", "", picture.caption, ""]
    for setting, commands in facts["commands"].items():
        lines += [f"## Commands and configuration: {setting}", ""]
        for who, told in commands.items():
            lines += [f"{who}:", "", *(f"    {line}" for line in told), ""]
    return "\n".join(lines)


def _grid(shown: Table) -> Iterator[str]:
    count = len(shown.columns)
    yield f"| {' | '.join(shown.columns)} |"
    yield "|" + "---|" * 2 + "--:|" * (count - 5) + "---|" * 3
    for line in shown.lines:
        cells = [cell.replace("|", "\\|") for cell in line.cells]
        if line.missed:
            cells[0], cells[-2] = f"**{cells[0].strip()}**", f"**{cells[-2]}**"
        yield f"| {' | '.join(cells)} |"


def page(
    chapters: Sequence[Chapter],
    facts: dict[str, Any],
    pictures: Sequence[tuple[Picture, bytes]],
    topics: Sequence[Topic] = (),
) -> str:
    """report.html: one file with everything in it."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True, lstrip_blocks=True,
        undefined=StrictUndefined,
    )  # fmt: skip
    return environment.get_template("report.html").render(
        title=TITLE,
        told=[*origin(facts), READING],
        verdict=verdict(chapters),
        all_held=not any(missed(row) for chapter in chapters for row in chapter.rows),
        chapters=[(chapter, table(chapter.rows) if chapter.rows else None) for chapter in chapters],
        growth=GROWTH,
        topics=[(topic, curves.table(topic)) for topic in topics],
        pictures=[(picture.caption, base64.b64encode(octets).decode()) for picture, octets in pictures],
        commands=facts["commands"],
    )


def record(chapters: Sequence[Chapter], facts: dict[str, Any]) -> dict[str, Any]:
    """Everything, for machines."""
    return {
        **facts,
        "rows": {
            row.key: {
                "chapter": chapter.title,
                "name": row.name.strip(),
                "unit": row.unit,
                "note": row.note,
                "without": dict(row.without),
                "ratios": {peer: row.ratio(peer) for peer in row.peers},
                "targets": [{**asdict(target), "held": held} for target, held in judged(row)],
                **{who: _values(row, who) for who in row.of},
            }
            for chapter in chapters
            for row in chapter.rows
        },
    }


def _values(row: Row, who: str) -> dict[str, Any]:
    told = summary(row.values(who))
    return {
        "summary": asdict(told) if told else None,
        "values": row.values(who),
        "samples": [asdict(sample) for sample in row.samples[who]],
    }


def write(
    folder: Path,
    chapters: Sequence[Chapter],
    facts: dict[str, Any],
    pictures: Sequence[Picture],
    topics: Sequence[Topic] = (),
) -> list[str]:
    """bench.json, report.md and report.html, with the pictures that are in the folder; the names."""
    embedded = [(picture, (folder / picture.file).read_bytes()) for picture in pictures]
    written = {
        "report.html": page(chapters, facts, embedded, topics),
        "report.md": markdown(chapters, facts, pictures, topics),
        "bench.json": json.dumps(record(chapters, facts) | {"growth": curves.record(topics)}, indent=1)
        + "\n",
    }
    for name, text in written.items():
        (folder / name).write_text(text)
    return [*written, *(picture.file for picture in pictures)]
