"""Who is in which band under two policies, and how the bands of several fill."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
import polars as pl

from senderscore_nb.charts import words
from senderscore_nb.charts.layers import SMALL, data, nothing
from senderscore_nb.charts.palette import ANCHORS, colours, ink_on
from senderscore_nb.charts.standing import require

_SIGNS = {"up": "▲ ", "down": "▼ ", "same": "", "other": ""}
_COLOURS = {"up": ANCHORS[2], "down": ANCHORS[0]}
_FAINT, _FULL = 0.12, 0.55
_ROOM = 66  # pixels of a column that a label fits into


def migration(
    moves: pl.DataFrame, *, before: str, after: str, width: int = 420, step: int = 40
) -> alt.LayerChart:
    """How many senders go from which band to which: before down the side, after along the top.

    Who stays is on the diagonal. Who rises is marked ▲, who falls ▼; the deeper a cell, the more
    of its row it holds.

    Args:
        moves: `before`, `after`, `before_place`, `after_place`, `senders`, as
            `Comparison.migration` returns them; `who` for the tooltip, where there is one.
        before: What the policy in the rows is called.
        after: What the policy in the columns is called.
        width: Of all cells together, in pixels.
        step: Height of a row, in pixels.

    Returns:
        A layered chart with a description.

    Raises:
        ContractError: A column is missing.
    """
    require(moves, "before", "after", "before_place", "after_place", "senders")
    if moves["senders"].sum() == 0:
        return nothing("Migration between bands")
    rows = _cells(moves)
    columns = _order(moves, "after")
    names = [*reversed(_order(moves, "before", bands=True)), *_order(moves, "before", bands=False)]
    x = alt.X(
        "to:N",
        scale=alt.Scale(domain=columns, padding=0.06),
        axis=alt.Axis(
            title=f"after: {words.clip(after, 40)}",
            orient="top",
            labelAngle=0 if width / len(columns) >= _ROOM else -40,
            labelLimit=84,
        ),
        sort=None,
    )
    y = alt.Y(
        "from:N",
        scale=alt.Scale(domain=names, padding=0.06),
        axis=alt.Axis(title=f"before: {words.clip(before, 40)}", labelLimit=110),
        sort=None,
    )
    hover = [
        alt.Tooltip("from:N", title="Before"),
        alt.Tooltip("to:N", title="After"),
        alt.Tooltip("n:Q", title="Senders"),
        alt.Tooltip("who:N", title="Who"),
    ]
    layers = [chart.encode(x=x, y=y, tooltip=hover) for chart in _drawn(rows)]
    return alt.LayerChart(
        layer=layers,
        width=width,
        height=alt.Step(step),
        description=_described(rows, before, after),
    )


def _cells(moves: pl.DataFrame) -> list[dict[str, Any]]:
    total = pl.col("senders").sum().over("before")
    rows = []
    for row in moves.with_columns(__share=pl.col("senders") / total).iter_rows(named=True):
        one, two = row["before_place"], row["after_place"]
        kind = "other"
        if one is not None and two is not None:
            kind = "same" if one == two else ("up" if two > one else "down")
        elif row["before"] == row["after"]:
            kind = "same"
        n = row["senders"]
        cell = {"from": words.clip(row["before"], 24), "to": words.clip(row["after"], 24), "n": n}
        if n:
            cell["depth"] = _FAINT + (_FULL - _FAINT) * row["__share"]
            cell["t"] = f"{_SIGNS[kind]}{words.count(n)}"
            cell["who"] = words.clip(row.get("who") or "", 200)
        rows.append({**cell, "kind": kind})
    return rows


def _order(moves: pl.DataFrame, side: str, *, bands: bool | None = None) -> list[str]:
    known = moves.select(side, f"{side}_place").unique(maintain_order=True)
    if bands is not None:
        is_band = pl.col(f"{side}_place").is_not_null()
        known = known.filter(is_band if bands else ~is_band)
    return [words.clip(name, 24) for name in known[side]]


def _drawn(rows: Sequence[dict[str, Any]]) -> list[alt.Chart]:
    layers = []
    for kind in ("same", "other", "up", "down"):
        filled = [r for r in rows if r["kind"] == kind and r["n"]]
        if not filled:
            continue
        chart = alt.Chart(data(filled))
        colour = _COLOURS.get(kind)
        box = chart.mark_rect(color=colour) if colour else chart.mark_rect(style="progress")
        depth = alt.Opacity("depth:Q", scale=None, legend=None)
        layers.append(box.encode(opacity=depth))
        layers.append(chart.mark_text(style="strong", fontSize=13).encode(text=alt.Text("t:N")))
    empty = [{**r, "t": "·"} for r in rows if not r["n"]]
    if empty:
        dots = alt.Chart(data(empty)).mark_text(style="muted", aria=False)
        layers.append(dots.encode(text=alt.Text("t:N")))
    return layers


def _described(rows: Sequence[dict[str, Any]], before: str, after: str) -> str:
    count = {k: sum(r["n"] for r in rows if r["kind"] == k) for k in _SIGNS}
    total = sum(count.values())
    parts = [
        f"Bands of {words.count(total)} senders under {words.clip(before, 60)} and under "
        f"{words.clip(after, 60)}: {count['same']} stay, {count['up']} rise, {count['down']} fall."
    ]
    if count["other"]:
        parts.append(f"{count['other']} gain or lose their score.")
    moved = sorted((r for r in rows if r["n"] and r["kind"] != "same"), key=lambda r: -r["n"])
    if moved:
        most = moved[0]
        parts.append(f"Most move from {most['from']} to {most['to']}: {most['n']}.")
    return " ".join(parts)


def band_fill(fill: pl.DataFrame, *, width: int = 520, step: int = 38) -> alt.LayerChart:
    """How the bands fill under several policies: a bar each, its segments the bands.

    Segments carry the band's name and how many senders are in it, as far as there is room; who has
    no score is outlined at the end.

    Args:
        fill: `policy`, `state`, `place`, `bands`, `senders`, `share`, `start`, as
            `Comparison.fill` returns them.
        width: Of the bars, in pixels.
        step: Height of a bar, in pixels.

    Returns:
        A layered chart with a description.

    Raises:
        ContractError: A column is missing.
    """
    require(fill, "policy", "state", "place", "bands", "senders", "share", "start")
    if fill["senders"].sum() == 0:
        return nothing("Bands by policy")
    rows = [_segment(row, width) for row in fill.iter_rows(named=True) if row["senders"]]
    policies = list(dict.fromkeys(row["policy"] for row in rows))
    y = alt.Y(
        "policy:N",
        scale=alt.Scale(domain=policies, padding=0.2),
        axis=alt.Axis(title=None, labelLimit=170, labelFontSize=12),
        sort=None,
    )
    scale = alt.Scale(domain=[0, 1], nice=False)
    x = alt.X(
        "low:Q",
        scale=scale,
        axis=alt.Axis(format=".0%", title="Senders", tickCount=5 if width > 300 else 3),
    )
    hover = [
        alt.Tooltip("policy:N", title="Policy"),
        alt.Tooltip("state:N", title="Band"),
        alt.Tooltip("n:Q", title="Senders"),
        alt.Tooltip("share:Q", title="Share", format=".0%"),
    ]
    layers = []
    for scored in (True, False):
        part = [row for row in rows if row["scored"] is scored]
        if not part:
            continue
        chart = alt.Chart(data(part)).encode(y=y, tooltip=hover)
        bar = chart.mark_bar(strokeWidth=1.5, style="ringed" if scored else "outline")
        bar = bar.encode(x=x, x2=alt.X2("high:Q"))
        text = chart.mark_text(fontSize=SMALL, style="muted").encode(
            x=alt.X("middle:Q", scale=scale), text=alt.Text("text:N")
        )
        if scored:
            bar = bar.encode(fill=alt.Fill("colour:N", scale=None))
            text = text.encode(color=alt.Color("ink:N", scale=None))
        layers += [bar, text]
    return alt.LayerChart(
        layer=layers, width=width, height=alt.Step(step), description=_filled(rows, policies)
    )


def _segment(row: dict[str, Any], width: int) -> dict[str, Any]:
    scored = row["place"] is not None
    colour = colours(row["bands"])[row["place"]] if scored else "#000000"
    name, n, share = words.clip(row["state"], 24), row["senders"], row["share"]
    room = share * width - 6
    text = next(
        (t for t in (f"{name} {n}", f"{name[:1]} {n}", str(n)) if words.width_of(t, SMALL) < room),
        "",
    )
    low = row["start"]
    return {
        "policy": words.clip(row["policy"], 44),
        "state": name,
        "n": n,
        "share": share,
        "low": low,
        "high": low + share,
        "middle": low + share / 2,
        "text": text,
        "colour": colour,
        "ink": ink_on(colour),
        "scored": scored,
    }


def _filled(rows: Sequence[dict[str, Any]], policies: Sequence[str]) -> str:
    said = []
    for policy in policies[:8]:
        own = [f"{r['n']} {r['state']}" for r in rows if r["policy"] == policy]
        said.append(f"{policy}: {', '.join(own)}.")
    more = f" And {len(policies) - 8} more policies." if len(policies) > 8 else ""
    return f"How the bands fill under {len(policies)} policies. {' '.join(said)}{more}"
