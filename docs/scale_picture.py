"""How the tally's cost grows: the figures of benchmarks.md as a table and as a picture."""

from __future__ import annotations

import math
import re
from pathlib import Path

import altair as alt
import polars as pl

from senderscore_nb.charts.theme import COLOURS
from senderscore_nb.reports.pictures import static_svg

FIGURES = Path(__file__).with_name("benchmarks.md")
PAGE = Path(__file__).with_name("scale.md")
MARKS = ("<!-- growth -->\n", "<!-- /growth -->\n")

WAYS = {
    "senderscore_nb.tally": "polars",
    "the tally on DuckDB": "DuckDB",
    "DuckDB by hand": "SQL by hand",
    "the tally on Spark": "Spark",
    "scan, values looked at": "bare scan",
}
_ROW = re.compile(
    r"^\| (?P<way>[^|]+), (?P<rows>[\d,]+) rows \| (?P<seconds>[\d.]+) \| [^|]+ \| [^|]+ "
    r"\| (?P<cpu_seconds>[\d.]+) \| (?P<peak_mb>[\d,]+) \|$",
    re.MULTILINE,
)


def measured(page: str) -> pl.DataFrame:
    """Columns `way`, `rows`, `seconds`, `cpu_seconds`, `peak_mb` of the suite `scale`."""
    section = page.partition("<!-- scale -->")[2].partition("\n## ")[0]
    found = [match.groupdict() for match in _ROW.finditer(section)]
    numbers = pl.col("rows", "seconds", "cpu_seconds", "peak_mb").str.replace_all(",", "")
    frame = pl.DataFrame(found, schema=["way", "rows", "seconds", "cpu_seconds", "peak_mb"])
    return frame.with_columns(numbers.cast(pl.Float64), pl.col("way").replace_strict(WAYS))


def table(frame: pl.DataFrame) -> str:
    """Markdown: a row a size, for each way its seconds and its peak memory."""
    ways = [way for way in WAYS.values() if way in frame["way"]]
    lines = ["| enrollments | " + " | ".join(ways) + " |", "| ---: |" + " ---: |" * len(ways)]
    for (rows,), part in frame.sort("rows").group_by("rows", maintain_order=True):
        cells = {r["way"]: r for r in part.iter_rows(named=True)}
        told = [
            f"{cells[way]['seconds']:,.2f} s, {cells[way]['peak_mb']:,.0f} MB"
            if way in cells
            else "–"
            for way in ways
        ]
        lines.append(f"| {rows:,.0f} | " + " | ".join(told) + " |")
    return "\n".join(lines) + "\n"


def picture(frame: pl.DataFrame) -> str:
    """Seconds and peak memory over rows, both axes logarithmic, as SVG."""
    colours = [COLOURS["light"][name] for name in ("accent", "alert", "ink", "muted", "edge")]
    decades = sorted({10 ** round(math.log10(rows)) for rows in frame["rows"]})
    domain = list(WAYS.values())
    shapes = ["circle", "square", "cross", "diamond", "triangle"]
    base = alt.Chart(frame).encode(
        x=alt.X(
            "rows:Q",
            title="enrollments",
            scale=alt.Scale(type="log", domain=[decades[0] * 0.8, decades[-1] * 14]),
            axis=alt.Axis(values=decades, format=",.0f", labelOverlap=False, labelAngle=-20),
        ),
        color=alt.Color("way:N", legend=None, scale=alt.Scale(domain=domain, range=colours)),
    )
    panels = []
    for field, title, values in (
        ("seconds", "seconds", [0.01, 0.1, 1, 10, 100]),
        ("peak_mb", "peak memory, MB", [100, 1_000, 10_000]),
    ):
        ticks = alt.Axis(values=values, format="," if values[0] > 1 else "~g")
        y = alt.Y(f"{field}:Q", title=title, scale=alt.Scale(type="log"), axis=ticks)
        lines = base.mark_line(strokeWidth=2).encode(y=y)
        points = base.mark_point(filled=True, size=60, opacity=1).encode(
            y=y, shape=alt.Shape("way:N", legend=None, scale=alt.Scale(domain=domain, range=shapes))
        )
        last = base.transform_filter(alt.datum.rows == frame["rows"].max())
        names = last.mark_text(align="left", dx=9).encode(y=y, text="way:N")
        panels.append((lines + points + names).properties(width=300, height=240))
    chart = alt.hconcat(*panels, spacing=30).properties(
        description="Seconds and peak memory of the daily tally against the number of enrollments."
    )
    return static_svg(chart.to_dict())


def update(folder: Path) -> None:
    """Write the table into scale.md and the picture beside the others."""
    frame = measured(FIGURES.read_text(encoding="utf-8"))
    (folder / "scale.svg").write_text(picture(frame), encoding="utf-8")
    before, rest = PAGE.read_text(encoding="utf-8").split(MARKS[0])
    after = rest.split(MARKS[1])[1]
    PAGE.write_text(before + MARKS[0] + table(frame) + MARKS[1] + after, encoding="utf-8")
