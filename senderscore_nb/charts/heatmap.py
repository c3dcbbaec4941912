"""Heatmaps: senders by week, and senders by sequence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import altair as alt
import polars as pl

from senderscore_nb.charts import words
from senderscore_nb.charts.describe import describe
from senderscore_nb.charts.layers import band_colour, data, note, nothing
from senderscore_nb.charts.palette import band_colours, ink_on
from senderscore_nb.charts.periods import complete
from senderscore_nb.charts.ranking import names_axis
from senderscore_nb.charts.standing import Standing, labels, period_of, require, standings
from senderscore_nb.policy import ScoringPolicy

_SIGNS = {"collecting": "•", "no_paid_seat": "–", "not_computable": "?"}
_MEANINGS = {
    "collecting": "• collecting",
    "no_paid_seat": "– no paid seat",
    "not_computable": "? not computable",
}
_MOST, _LEAST = 46, 22
_ROW = 24

# The day of each week, and above it the month where a new one begins. Only days get here.
_DAY = "utcParse(datum.value, '%Y-%m-%d')"
_MONTHS = f"[datum.index == 0 || utcFormat({_DAY}, '%m') == '01' ? utcFormat({_DAY}, '%Y') : '', "
_WEEKS = f"[datum.index == 0 || +slice(datum.value, 8) < 8 ? utcFormat({_DAY}, '%b') : '', "
_LABELS = {
    "day": f"{_WEEKS}utcFormat({_DAY}, '%-d')]",
    "week": f"{_WEEKS}utcFormat({_DAY}, '%-d')]",
    "month": f"{_MONTHS}utcFormat({_DAY}, '%b')]",
}


@dataclass(frozen=True)
class _Grid:
    """Rows and columns in the order they are drawn, and the axis above them."""

    names: Sequence[str]
    columns: Sequence[str]
    axis: alt.Axis
    title: str
    width: int


def heatmap_weeks(
    scored: pl.DataFrame, policy: ScoringPolicy, *, width: int = 720
) -> alt.LayerChart:
    """The score of each sender (or team, or sequence) in each week, month or day.

    A cell is coloured by its band and carries the score. A cell without a score is outlined and
    carries a sign that is explained below. Who has the best latest score comes first.

    Args:
        scored: As `senderscore_nb.score.score` returns it by `user,week`, labelled.
        policy: The policy it was scored with.
        width: Of all cells together in pixels, as far as cells stay readable.

    Returns:
        A layered chart with a description.

    Raises:
        ContractError: No column `score`, or no `week`, `month` or `day`.
    """
    period = period_of(scored)
    require(scored, "score", *([] if period else ["week"]))
    rows = [r for r in standings(scored, policy) if r.period is not None]
    if not rows or period is None:
        return nothing("Scores over time")
    days = complete((r.period for r in rows if r.period), period)
    latest = {r.name: -1.0 for r in rows}
    in_time = sorted(rows, key=lambda r: str(r.period))
    latest |= {r.name: r.score for r in in_time if r.score is not None}
    names = sorted(latest, key=lambda name: (-latest[name], name))
    last = [r for r in rows if r.period == max(days)]
    description = (
        f"Scores by {period}, {len(names)} rows, {words.day(days[0])} to {words.day(days[-1])}; "
        f"{sum(r.status == 'collecting' for r in rows)} of {len(rows)} cells collecting. "
        + describe(f"The last {period}", last, policy)
    )
    axis = alt.Axis(
        labelExpr=_LABELS[period],
        labelAngle=0,
        orient="top",
        labelOverlap=False,
        labelPadding=18,
        title=None,
    )
    grid = _Grid(names, [str(day) for day in days], axis, "From", width)
    cells = [(r, str(r.period)) for r in rows]
    return _heatmap(cells, grid, policy).properties(description=description)


def heatmap_sequences(
    scored: pl.DataFrame, policy: ScoringPolicy, *, width: int = 720
) -> alt.LayerChart:
    """The score of each sender in each sequence.

    Cells are drawn as in `heatmap_weeks`; a pair that ended nothing has none. Senders and
    sequences with the most enrollments come first.

    Args:
        scored: As `senderscore_nb.score.score` returns it by `user,sequence`, labelled.
        policy: The policy it was scored with.
        width: Of all cells together in pixels, as far as cells stay readable.

    Returns:
        A layered chart with a description.

    Raises:
        ContractError: No column `score`.
    """
    rows = standings(scored, policy, name_by=("user",))
    if not rows:
        return nothing("Scores by sequence")
    sequences = labels(scored, ("sequence",))
    cells = list(zip(rows, sequences, strict=True))
    names = _largest((row.name, row.ended) for row in rows)
    columns = _largest((name, row.ended) for row, name in cells)
    axis = alt.Axis(
        labelAngle=-40, orient="top", labelLimit=150, labelOverlap=False, title=None, labelPadding=4
    )
    grid = _Grid(names, columns, axis, "Sequence", width)
    what = f"Scores of {len(names)} senders in {len(columns)} sequences"
    return _heatmap(cells, grid, policy).properties(description=describe(what, rows, policy))


def _heatmap(
    cells: Sequence[tuple[Standing, str]], grid: _Grid, policy: ScoringPolicy
) -> alt.LayerChart:
    step = max(_LEAST, min(_MOST, grid.width // len(grid.columns)))
    # A domain keeps the order; sorting by a list would put the names into an expression.
    x = alt.X("col:N", scale=alt.Scale(domain=list(grid.columns), padding=0.06), axis=grid.axis)
    y = names_axis(grid.names)
    y["scale"] = alt.Scale(domain=list(grid.names), padding=0.06)
    hover = [
        alt.Tooltip("who:N", title="Name"),
        alt.Tooltip("col:N", title=grid.title),
        alt.Tooltip("s:N", title="Score"),
        alt.Tooltip("v:N", title="Band"),
        alt.Tooltip("n:Q", title="Ended"),
        alt.Tooltip("r:N", title="Replies"),
        alt.Tooltip("b:N", title="Bounces"),
    ]
    drawn = [
        *_filled([c for c in cells if c[0].scored], policy, step * len(grid.columns)),
        *_outlined([c for c in cells if not c[0].scored]),
    ]
    layers = [chart.encode(x=x, y=y, tooltip=hover) for chart in drawn]
    missing = Counter(row.status for row, _ in cells if not row.scored)
    key = ", ".join(words_ for status, words_ in _MEANINGS.items() if missing[status])
    chart = alt.LayerChart(layer=layers, width=alt.Step(step), height=alt.Step(_ROW))
    return chart.properties(title=note(key)) if key else chart


def _filled(
    cells: Sequence[tuple[Standing, str]], policy: ScoringPolicy, across: int
) -> list[alt.Chart]:
    if not cells:
        return []
    names = words.band_labels(policy)
    chart = alt.Chart(
        data(
            {**_cell(row, column), "t": words.points(row.score, policy, 0), "band": names[i]}
            for row, column in cells
            if (i := row.band) is not None
        )
    )
    colour = band_colour(policy, across=across)
    fill = alt.Fill("band:N", scale=colour["scale"], legend=colour["legend"])
    inks: dict[str, list[str]] = {}
    for name, band in zip(names, band_colours(policy), strict=True):
        inks.setdefault(ink_on(band), []).append(name)
    return [
        chart.mark_rect().encode(fill=fill),
        *(
            chart.mark_text(fontSize=10.5, color=ink)
            .encode(text=alt.Text("t:N"))
            .transform_filter(alt.FieldOneOfPredicate(field="band", oneOf=bands))
            for ink, bands in inks.items()
        ),
    ]


def _outlined(cells: Sequence[tuple[Standing, str]]) -> list[alt.Chart]:
    if not cells:
        return []
    chart = alt.Chart(
        data({**_cell(row, column), "t": _SIGNS.get(row.status, "?")} for row, column in cells)
    )
    box = chart.mark_rect(style="outline", strokeWidth=1, strokeDash=[2, 2])
    text = chart.mark_text(style="muted").encode(text=alt.Text("t:N"))
    return [box, text]


def _cell(row: Standing, column: str) -> dict[str, object]:
    """Where a cell is and what its tooltip says, short: there may be thousands."""
    score = None if row.score is None else f"{row.score:.1f} ({words.span(row.low, row.high)})"
    state = f"{row.verdict}, {row.needed}" if row.status == "collecting" else row.verdict
    said: dict[str, object] = {"who": row.name, "col": column, "s": score, "v": state}
    for field, measure in (("r", "reply_rate"), ("b", "bounce_rate")):
        rate = row.number(measure)
        said[field] = None if rate is None else words.percent(rate)
    return {**said, "n": row.ended}


def _largest(sizes: Iterable[tuple[str, int]]) -> list[str]:
    total: Counter[str] = Counter()
    for name, size in sizes:
        total[name] += size
    return sorted(total, key=lambda name: (-total[name], name))
