"""What depends on which threshold: a heatmap over two, a tornado over all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
import polars as pl

from senderscore_nb.charts import words
from senderscore_nb.charts.layers import SMALL, data, note, nothing
from senderscore_nb.charts.palette import ANCHORS
from senderscore_nb.charts.standing import number, require
from senderscore_nb.experiment.thresholds import Threshold

_MEANINGS = {
    "same": "share in the same band",
    "up": "share in a higher band",
    "down": "share in a lower band",
    "flips": "share of bands that change from week to week",
    "net": "up less down",
    "kappa": "agreement (weighted kappa)",
    "mean_score": "mean score",
}
_WRITTEN_CELLS = 12  # as many columns as still have room for figures
_FAINT, _FULL = 0.04, 0.62


def sensitivity_heatmap(
    grid: pl.DataFrame,
    x: Threshold,
    y: Threshold,
    *,
    measure: str = "same",
    present: tuple[float, float] | None = None,
    width: int = 520,
    height: int = 360,
) -> alt.LayerChart:
    """A measure over the values of two thresholds: the deeper a cell, the higher it is.

    Where there are few cells each carries its figure. Values that make no valid policy are crossed
    out; the present values are outlined.

    Args:
        grid: `x`, `y`, `invalid` and the measure, as `senderscore_nb.experiment.sensitivity`
            returns them.
        x: The threshold along the bottom.
        y: The threshold up the side.
        measure: A column of the grid: `same`, `up`, `down`, `flips`, `kappa`, `mean_score` or a
            band's share.
        present: The present values of both.
        width: Of all cells together, in pixels.
        height: Of all cells together, in pixels.

    Returns:
        A layered chart with a description.

    Raises:
        ContractError: A column is missing.
    """
    require(grid, "x", "y", "invalid", measure)
    if grid.is_empty():
        return nothing("Sensitivity to two thresholds")
    rows = _grid_rows(grid, x, y, measure)
    columns = _shown(grid["x"], x)
    names = list(reversed(_shown(grid["y"], y)))
    across = alt.X(
        "x:N",
        scale=alt.Scale(domain=columns, padding=0.04),
        axis=alt.Axis(title=x.name, values=_some(columns), labelAngle=0, labelLimit=70),
        sort=None,
    )
    upwards = alt.Y(
        "y:N",
        scale=alt.Scale(domain=names, padding=0.04),
        axis=alt.Axis(title=y.name, values=_some(names), labelLimit=80),
        sort=None,
    )
    hover = [
        alt.Tooltip("x:N", title=x.name),
        alt.Tooltip("y:N", title=y.name),
        alt.Tooltip("t:N", title=_meaning(measure)),
        alt.Tooltip("why:N", title="No policy"),
    ]
    written = len(columns) <= _WRITTEN_CELLS and width / len(columns) >= 30
    layers = [
        chart.encode(x=across, y=upwards, tooltip=hover) for chart in _cells(rows, written=written)
    ]
    if present is not None:
        here = [{"x": x.show(present[0]), "y": y.show(present[1])}]
        if here[0]["x"] in columns and here[0]["y"] in names:
            box = alt.Chart(data(here)).mark_rect(
                style="line", filled=False, strokeWidth=2.5, aria=False
            )
            layers.append(box.encode(x=across, y=upwards))
    key = f"{_meaning(measure)}; outlined: at present" if present else _meaning(measure)
    return alt.LayerChart(
        layer=layers,
        width=width,
        height=height,
        title=note(key + ("; ×: not a valid policy" if any("why" in r for r in rows) else "")),
        description=_grid_described(rows, x, y, measure),
    )


def _grid_rows(
    grid: pl.DataFrame, x: Threshold, y: Threshold, measure: str
) -> list[dict[str, Any]]:
    values = [number(value) for value in grid[measure]]
    known = [value for value in values if value is not None]
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    rows = []
    for row, value in zip(grid.iter_rows(named=True), values, strict=True):
        cell: dict[str, Any] = {"x": x.show(row["x"]), "y": y.show(row["y"])}
        if value is not None:
            share = (value - low) / (high - low) if high > low else 0.5
            cell |= {"depth": _FAINT + (_FULL - _FAINT) * share, "v": value}
            cell["t"] = _written(value, measure)
        else:
            cell |= {"t": "×", "why": words.clip(row["invalid"] or "nobody has a score", 140)}
        rows.append(cell)
    return rows


def _cells(rows: Sequence[dict[str, Any]], *, written: bool) -> list[alt.Chart]:
    layers = []
    valid = [row for row in rows if "depth" in row]
    invalid = [row for row in rows if "depth" not in row]
    if valid:
        chart = alt.Chart(data(valid))
        layers.append(
            chart.mark_rect().encode(opacity=alt.Opacity("depth:Q", scale=None, legend=None))
        )
        if written:
            text = chart.mark_text(style="ink", fontSize=SMALL)
            layers.append(text.encode(text=alt.Text("t:N")))
    if invalid:
        crossed = alt.Chart(data(invalid)).mark_text(style="muted", fontSize=SMALL)
        layers.append(crossed.encode(text=alt.Text("t:N")))
    return layers


def _shown(values: pl.Series, threshold: Threshold) -> list[str]:
    return [threshold.show(value) for value in values.unique().sort()]


def _some(labels: Sequence[str]) -> list[str]:
    """Labels with room between them: the first, the last and some of those between."""
    step = max(1, -(-len(labels) // 8))
    return list(labels[::step])


def _meaning(measure: str) -> str:
    if measure.startswith("share_"):
        return f"share in {measure.removeprefix('share_').replace('_', ' ').capitalize()}"
    return _MEANINGS.get(measure, measure)


def _written(value: float, measure: str) -> str:
    if measure == "kappa":
        return f"{value:.2f}"
    return f"{value:.1f}" if measure == "mean_score" else f"{100 * value:.0f} %"


def _grid_described(
    rows: Sequence[dict[str, Any]], x: Threshold, y: Threshold, measure: str
) -> str:
    known = [row for row in rows if "v" in row]
    what = f"{_meaning(measure).capitalize()} over values of {x.name} and {y.name}"
    if not known:
        return f"{what}: none of {len(rows)} pairs of values makes a policy that scores anybody."
    low, high = (end(known, key=lambda row: row["v"]) for end in (min, max))
    wrong = len(rows) - len(known)
    return (
        f"{what}, {len(rows)} pairs: lowest {low['t']} at {low['x']} and {low['y']}, highest "
        f"{high['t']} at {high['x']} and {high['y']}."
        + (f" {wrong} pairs make no policy." if wrong else "")
    )


def tornado(
    sides: pl.DataFrame, *, most: int = 12, width: int = 420, step: int = 30
) -> alt.LayerChart:
    """Thresholds one by one, moved down and up by the same share: who moves up less who moves down.

    The threshold that moves the most comes first. The bar of the lower value is pale, that of the
    higher one full; each carries its value.

    Args:
        sides: `threshold`, `side`, `shown`, `present`, `net`, `invalid`, as
            `senderscore_nb.experiment.tornado` returns them.
        most: Thresholds that are drawn.
        width: Of the bars, in pixels.
        step: Height of a threshold's two bars, in pixels.

    Returns:
        A layered chart with a description.

    Raises:
        ContractError: A column is missing.
    """
    require(sides, "threshold", "side", "shown", "present", "net", "invalid")
    rows = _sides(sides)
    moving = [n for n in dict.fromkeys(r["label"] for r in rows) if _moves(rows, n)]
    names = moving[:most]
    drawn = [r for r in rows if r["label"] in names]
    if not drawn:
        return nothing("Thresholds one by one")
    reach = 1.3 * max(0.01, *(abs(r["net"]) for r in drawn))
    scale = alt.Scale(domain=[-reach, reach], nice=False)
    title = "share of senders, up less down: ← fall · rise →"
    x = alt.X(
        "zero:Q",
        scale=scale,
        axis=alt.Axis(format="+.0%", title=title, tickCount=5 if width > 300 else 3),
    )
    y = alt.Y(
        "label:N",
        scale=alt.Scale(domain=names, padding=0.15),
        axis=alt.Axis(title=None, labelLimit=190, labelFontSize=12),
        sort=None,
    )
    offset = alt.YOffset("side:N", scale=alt.Scale(domain=["low", "high"]))
    hover = [
        alt.Tooltip("label:N", title="Threshold, at present"),
        alt.Tooltip("shown:N", title="Moved to"),
        alt.Tooltip("said:N", title="Up less down"),
        alt.Tooltip("why:N", title="No policy"),
    ]
    layers = []
    for side, opacity in (("low", 0.45), ("high", 1.0)):
        part = [r for r in drawn if r["side"] == side]
        chart = alt.Chart(data(part)).encode(y=y, yOffset=offset, tooltip=hover)
        layers.append(
            chart.mark_bar(opacity=opacity).encode(
                x=x, x2=alt.X2("net:Q"), color=alt.Color("colour:N", scale=None)
            )
        )
        for right in (True, False):
            text = chart.mark_text(
                style="muted", align="left" if right else "right", dx=4 if right else -4,
                fontSize=SMALL,
            )  # fmt: skip
            own = text.encode(x=alt.X("net:Q", scale=scale), text=alt.Text("shown:N"))
            own.data = data([r for r in part if (r["net"] >= 0) is right])
            layers.append(own)
    left = len(moving) - len(names)
    said = "pale: lower value, full: higher value" + (f"; {left} more move less" if left else "")
    return alt.LayerChart(
        layer=layers,
        width=width,
        height=alt.Step(step, **{"for": "position"}),
        title=note(said),
        description=_sides_described(drawn, names, len(moving)),
    )


def _moves(rows: Sequence[dict[str, Any]], label: str) -> bool:
    return any(r["net"] for r in rows if r["label"] == label)


def _sides(sides: pl.DataFrame) -> list[dict[str, Any]]:
    rows = []
    for row in sides.iter_rows(named=True):
        net = number(row["net"])
        shown = row["shown"] if net is not None else f"{row['shown']} ×"
        cell = {
            "label": f"{words.clip(row['threshold'], 34)} ({row['present']})",
            "side": row["side"],
            "shown": shown,
            "net": net or 0.0,
            "zero": 0,
            "said": "–" if net is None else f"{100 * net:+.0f} %".replace("-", "−"),
            "colour": ANCHORS[2] if (net or 0.0) >= 0 else ANCHORS[0],
        }
        if row["invalid"]:
            cell["why"] = words.clip(row["invalid"], 140)
        rows.append(cell)
    return rows


def _sides_described(rows: Sequence[dict[str, Any]], names: Sequence[str], moving: int) -> str:
    first = [r for r in rows if r["label"] == names[0]]
    said = ", ".join(f"{r['said']} at {r['shown']}" for r in first)
    return (
        f"Thresholds one by one, {moving} of which move somebody. The most: {names[0]}, {said}. "
        f"Then {', '.join(names[1:4])}."
        if len(names) > 1
        else f"Thresholds one by one: only {names[0]} moves somebody, {said}."
    )
