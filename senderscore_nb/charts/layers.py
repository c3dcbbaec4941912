"""What several charts share: data, band colours, strips behind, tooltips, the empty chart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

import altair as alt

from senderscore_nb.charts import words
from senderscore_nb.charts.palette import band_colours
from senderscore_nb.charts.standing import Standing
from senderscore_nb.policy import ScoringPolicy

AnyChart = TypeVar(
    "AnyChart", alt.Chart, alt.LayerChart, alt.FacetChart, alt.HConcatChart, alt.VConcatChart
)

SMALL = 11
"""Size of ordinary text in charts, in pixels."""


def data(rows: Iterable[Mapping[str, Any]]) -> alt.InlineData:
    """Rows as inline data: what is None is left out, and numbers are kept to four decimals."""
    return alt.InlineData(
        values=[{k: _short(v) for k, v in row.items() if v is not None} for row in rows]
    )


def _short(value: Any) -> Any:
    if isinstance(value, float):
        rounded = round(value, 4)
        return int(rounded) if rounded == int(rounded) else rounded
    return value


def band_colour(policy: ScoringPolicy, *, across: float | None = None) -> alt.Color:
    """The field `band` (a band's label) as colour, in the policy's order.

    Args:
        policy: Whose bands.
        across: How wide a key above the chart may be, in pixels; no key where it is None.
    """
    names = words.band_labels(policy)
    shown = None if across is None else _key(names, across)
    scale = alt.Scale(domain=names, range=band_colours(policy))
    return alt.Color("band:N", scale=scale, legend=shown, sort=None)


def _key(names: Sequence[str], across: float) -> alt.Legend:
    each = max(words.width_of(name, SMALL) for name in names) + 34
    columns = min(len(names), max(1, int(across // each)))
    return alt.Legend(orient="top", title=None, offset=10, columnPadding=16, columns=columns)


def bounds(
    policy: ScoringPolicy, domain: tuple[float, float] | None = None
) -> list[tuple[str, float, float]]:
    """Each band's label, lower and upper edge; within a domain, where one is given."""
    lowers = [band.lower for band in policy.bands]
    uppers = [*lowers[1:], most(policy)]
    low, high = domain or (0.0, most(policy))
    cut = zip(words.band_labels(policy), lowers, uppers, strict=True)
    return [(n, max(a, low), min(b, high)) for n, a, b in cut if a < high and b > low]


def most(policy: ScoringPolicy) -> float:
    """The upper end of the score's axis; a policy that gives no points has one all the same."""
    return policy.most or 1.0


def score_axis(
    policy: ScoringPolicy, domain: tuple[float, float] | None = None, *, title: str | None = "Score"
) -> dict[str, Any]:
    """Scale, axis and title of a score's axis, marked at the edges of the bands."""
    low, high = domain or (0.0, most(policy))
    ticks = [v for v in (*(b.lower for b in policy.bands), most(policy)) if low <= v <= high]
    return {
        "scale": alt.Scale(domain=[low, high], nice=False, zero=False),
        "axis": alt.Axis(values=ticks, grid=False, title=title, labelOverlap=True),
    }


def strips(
    policy: ScoringPolicy,
    *,
    across: bool,
    domain: tuple[float, float] | None = None,
    title: str | None = "Score",
) -> alt.Chart:
    """The bands as pale strips behind a score's axis.

    Args:
        policy: Whose bands.
        across: The score runs from left to right, else upwards.
        domain: The part of the scale that is drawn; all of it unless given.
        title: Of the axis.
    """
    rows = data({"band": n, "low": lo, "high": hi} for n, lo, hi in bounds(policy, domain))
    mark: alt.Chart = alt.Chart(rows).mark_rect(opacity=0.17, aria=False)
    axis = score_axis(policy, domain, title=title)
    if across:
        return mark.encode(x=alt.X("low:Q", **axis), x2=alt.X2("high:Q"), color=band_colour(policy))
    return mark.encode(y=alt.Y("low:Q", **axis), y2=alt.Y2("high:Q"), color=band_colour(policy))


def strip_names(
    policy: ScoringPolicy,
    length: float,
    *,
    across: bool,
    domain: tuple[float, float] | None = None,
    size: float = SMALL,
) -> alt.Chart:
    """The bands' names beside the strips: above where the score runs across, else at the right.

    A name without room is shortened to its first letter, and left out where that has none.
    """
    start, end = domain or (0.0, most(policy))
    rows = []
    taken = float("-inf")
    for name, low, high in bounds(policy, domain):
        centre = (low + high) / 2
        place = (centre - start) / (end - start) * length
        for text in (name, name[:1]):
            half = (words.width_of(text, size) if across else size) / 2
            if place - half >= taken:
                rows.append({"low": centre, "text": text})
                taken = place + half + (4 if across else 0)
                break
    chart = alt.Chart(data(rows))
    named: alt.Chart
    if across:
        named = chart.mark_text(style="muted", fontSize=size, aria=False)
        return named.encode(x=alt.X("low:Q"), y=alt.YValue(-10), text=alt.Text("text:N"))
    named = chart.mark_text(
        style="muted", fontSize=size, align="left", dx=6, baseline="middle", aria=False
    )
    return named.encode(y=alt.Y("low:Q"), x=alt.XValue("width"), text=alt.Text("text:N"))


def facts(standing: Standing) -> dict[str, str]:
    """What a tooltip says about a row, under the fields that `tooltip` names."""
    said = {"who": standing.name, "n": words.count(standing.ended)}
    if standing.sequence and standing.sequence != standing.name:
        said["seq"] = standing.sequence
    if standing.period is not None:
        said["when"] = words.day(standing.period)
    if standing.score is not None:
        probability = standing.number("band_probability")
        sure = "" if probability is None else f" ({probability:.0%})"
        said["s"] = f"{standing.score:.1f}"
        if standing.low is not None and standing.high is not None:
            said["s"] += f" ({words.span(standing.low, standing.high)})"
        said["v"] = standing.verdict + sure
    else:
        said["v"] = standing.verdict
        if standing.status == "collecting":
            said["v"] += f": {standing.needed}"
    for field, measure in (("r", "reply_rate"), ("b", "bounce_rate")):
        if standing.number(measure) is not None:
            said[field] = standing.rate(measure)
    return said


_TOOLTIP = {
    "who": "Name",
    "seq": "Sequence",
    "when": "From",
    "s": "Score",
    "v": "Band",
    "n": "Ended",
    "r": "Replies",
    "b": "Bounces",
}


def tooltip(rows: Sequence[Mapping[str, Any]]) -> list[alt.Tooltip]:
    """The tooltip of rows with `facts`: what none of them has is left out."""
    return [
        alt.Tooltip(f"{field}:N", title=title)
        for field, title in _TOOLTIP.items()
        if any(field in row for row in rows)
    ]


def footnote(policy: ScoringPolicy) -> alt.TitleParams:
    """The policy in force, as a small line under the chart."""
    return note(f"Policy {words.clip(policy.label, 110)}")


def note(text: str | list[str]) -> alt.TitleParams:
    """A small line under the chart."""
    return alt.TitleParams(
        text=text,
        orient="bottom",
        anchor="start",
        frame="bounds",
        style="footnote",
        fontSize=10,
        fontWeight="normal",
        offset=10,
    )


def nothing(what: str) -> alt.LayerChart:
    """A chart that says that there is nothing to show."""
    text = (
        alt.Chart(data([{"text": "Nothing to show"}]))
        .mark_text(style="muted", fontSize=14, fontStyle="italic")
        .encode(x=alt.XValue(110), y=alt.YValue(30), text=alt.Text("text:N"))
    )
    return alt.LayerChart(
        layer=[text],
        width=220,
        height=60,
        description=f"{what}: nothing to show, the data has no rows.",
    )


def with_narrow(chart: AnyChart, narrow: AnyChart) -> AnyChart:
    """A chart that carries the variant that a page shows on a narrow screen.

    Args:
        chart: The chart.
        narrow: The same at a smaller width; travels in `usermeta.senderscore.narrow`.
    """
    spec = {
        k: v for k, v in narrow.to_dict(validate=False).items() if k not in ("config", "$schema")
    }
    return chart.properties(usermeta={"senderscore": {"narrow": spec}})
