"""What a report is made of: prose, tables and figures.

Each shows itself in JupyterLab as it is and in the report's page through `page.py`. All text that
comes from data goes through MarkupSafe's escaping here, once.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl
from markupsafe import Markup, escape

FIGURE_MIME = "application/vnd.senderscore.figure+json"
SUMMARY_MIME = "application/vnd.senderscore.summary+json"
_LAB_MIME = "application/vnd.vegalite.v5+json"

Format = Callable[[Any], str]


@dataclass(frozen=True)
class Notice:
    """A sentence that stands on top of a page and of its mail, and in the JSON twin.

    Attributes:
        kind: `alert` for what needs attention, `over` for what needs it no longer.
        text: Plain text.
        data: The same for machines.
    """

    kind: str
    text: str
    data: Mapping[str, Any] = field(default_factory=dict)


def percent(value: Any) -> str:
    """A fraction as a percentage with one decimal and a no-break space.

    >>> percent(0.0712).split()
    ['7.1', '%']
    """
    return _number(value, lambda v: f"{100 * v:.1f}\u00a0%")


def points(value: Any) -> str:
    """Points with one decimal."""
    return _number(value, lambda v: f"{v:.1f}")


def signed(value: Any) -> str:
    """A change in points, with its sign."""
    return _number(value, lambda v: f"{v:+.1f}".replace("-", "−"))


def signed_percentage_points(value: Any) -> str:
    """A change of a fraction, in percentage points, with its sign."""
    return _number(value, lambda v: f"{100 * v:+.1f}\u00a0pp".replace("-", "−"))


def count(value: Any) -> str:
    """A count with thin spaces between thousands."""
    return _number(value, lambda v: f"{int(v):,}".replace(",", "\u2009"))


def day(value: Any) -> str:
    """A day as 15 Nov 2026.

    >>> day(dt.date(2026, 11, 5))
    '5 Nov 2026'
    """
    if not isinstance(value, dt.date):
        return "–"
    return f"{value.day} {value:%b %Y}"


def text(value: Any) -> str:
    """Anything as text; a dash for nothing."""
    return "–" if value is None or value == "" else str(value)


def interval_text(value: str, low: str, high: str) -> str:
    """A value with its interval.

    >>> interval_text("7.1 %", "5.9 %", "8.4 %")
    '7.1 % (5.9–8.4 %)'
    """
    if low == "–":
        return value
    unit = next((u for u in ("\u00a0%", " %", "\u00a0pp") if low.endswith(u)), "")
    between = " to " if low.startswith(("+", "−")) else "–"
    return f"{value} ({low.removesuffix(unit)}{between}{high})"


def _number(value: Any, form: Callable[[float], str]) -> str:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "–"
    return form(value)


@dataclass(frozen=True)
class Prose:
    """Paragraphs of text; a list where there are several and `listed` is set."""

    paragraphs: Sequence[str | Markup]
    listed: bool = False
    kind: str = ""

    def _repr_html_(self) -> str:
        if self.listed:
            items = Markup("").join(Markup("<li>{}</li>").format(p) for p in self.paragraphs)
            body = Markup("<ul>{}</ul>").format(items)
        else:
            body = Markup("").join(Markup("<p>{}</p>").format(p) for p in self.paragraphs)
        return str(Markup('<div class="prose {}">{}</div>').format(self.kind, body))


@dataclass(frozen=True)
class Column:
    """A column of a table: the frame's column, its heading, and how a value is written.

    With `interval`, the frame's `…_low` and `…_high` are written behind the value. `words` says
    that what the format writes is not a number; it may be markup, which is not escaped again.
    """

    name: str
    title: str
    form: Format = text
    interval: bool = False
    words: bool = False

    @property
    def is_number(self) -> bool:
        """Written flush right."""
        return not self.words and self.form not in (text, day)

    @property
    def names(self) -> tuple[str, ...]:
        """The columns of the frame that are shown."""
        ends = (f"{self.name}_low", f"{self.name}_high") if self.interval else ()
        return (self.name, *ends)

    def written(self, row: Mapping[str, Any]) -> str:
        """The cell's text."""
        value, *ends = (self.form(row[name]) for name in self.names)
        return interval_text(value, *ends) if ends else value


@dataclass(frozen=True)
class Table:
    """A frame as a real table with a caption and headings."""

    frame: pl.DataFrame
    columns: Sequence[Column]
    caption: str = ""
    empty: str = "Nothing to show."

    def _repr_html_(self) -> str:
        if self.frame.is_empty():
            return str(Markup('<p class="empty">{}</p>').format(self.empty))
        caption = Markup("<caption>{}</caption>").format(self.caption) if self.caption else ""
        head = Markup("").join(
            Markup('<th scope="col"{}>{}</th>').format(_numeric(c), c.title) for c in self.columns
        )
        body = Markup("").join(self._row(row) for row in self.frame.iter_rows(named=True))
        return str(
            Markup(
                '<div class="scroll" tabindex="0" role="region" aria-label="{}"><table>{}'
                "<thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>"
            ).format(self.caption or "Table", caption, head, body)
        )

    def _row(self, row: Mapping[str, Any]) -> Markup:
        cells = []
        for i, column in enumerate(self.columns):
            shown = escape(column.written(row))
            if i == 0:
                cells.append(Markup('<th scope="row">{}</th>').format(shown))
            else:
                cells.append(Markup("<td{}>{}</td>").format(_numeric(column), shown))
        return Markup("<tr>{}</tr>").format(Markup("").join(cells))


def _numeric(column: Column) -> Markup:
    return Markup(' class="number"') if column.is_number else Markup("")


@dataclass(frozen=True)
class Figure:
    """A chart with a caption and the table of what it shows."""

    chart: Any
    caption: str
    table: Table | None = None

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        spec = self.chart.to_dict(validate=False)  # tested, and a third of a page's time
        table = self.table._repr_html_() if self.table else ""
        return {
            FIGURE_MIME: {"spec": spec, "caption": self.caption, "table": table},
            _LAB_MIME: {**spec, "$schema": "https://vega.github.io/schema/vega-lite/v5.json"},
            "text/plain": spec.get("description", self.caption),
        }


@dataclass(frozen=True)
class Summary:
    """The figures of a report as plain data: its JSON twin."""

    data: Mapping[str, Any] = field(default_factory=dict)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return {SUMMARY_MIME: plain(self.data), "text/plain": f"Summary of {len(self.data)} parts"}


def plain(value: Any) -> Any:
    """Any value of a report as JSON values: frames as lists of records, days as ISO, no NaN."""
    if isinstance(value, pl.DataFrame):
        return [plain(row) for row in value.iter_rows(named=True)]
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
