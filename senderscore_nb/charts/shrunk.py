"""Raw rates and shrunk ones side by side: how far each is drawn, and towards what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
import polars as pl

from senderscore_nb.charts import words
from senderscore_nb.charts.layers import SMALL, data, note, nothing
from senderscore_nb.charts.ranking import names_axis
from senderscore_nb.charts.standing import labels, number, require

_KEY = "Hollow: raw; filled: shrunk, with interval; tick: drawn towards; at the right: own weight."
_WORDS = {"reply_rate": "Reply rate", "bounce_rate": "Bounce rate"}


def shrunk(
    frame: pl.DataFrame, *, measure: str = "reply_rate", width: int = 460, step: int = 24
) -> alt.LayerChart:
    """Each sender's raw rate, the shrunk one with its interval, and the line between them.

    Raw rates are hollow, shrunk ones are filled; the tick is what a rate is drawn towards. The
    text at the right says how much of the shrunk rate is the sender's own.

    Args:
        frame: As `drivers.shrinkage` returns it, with or without labels.
        measure: `reply_rate` or `bounce_rate`.
        width: Of the axis, in pixels.
        step: Height of a row, in pixels.

    Returns:
        A layered chart with a description.

    Raises:
        ContractError: A column is missing.
    """
    parts = [f"{measure}_{p}" for p in ("shrunk", "shrunk_low", "shrunk_high", "weight", "towards")]
    require(frame, measure, "ended", *parts)
    word = _WORDS.get(measure, "Rate")
    rows = _rows(frame, measure)
    if not rows:
        return nothing(f"{word}, raw and shrunk")
    y = names_axis([r["who"] for r in rows], limit=max(100, min(190, width // 2)))
    most = max(max(r["hi"], r.get("raw") or 0.0) for r in rows)
    axis = alt.Axis(format=".0%" if most > 0.05 else ".1%", title=word, tickCount=5)
    x: dict[str, Any] = {"scale": alt.Scale(domain=[0, 1.05 * most], nice=False), "axis": axis}
    hover = [
        alt.Tooltip("who:N", title="Name"),
        alt.Tooltip("raw_said:N", title="Raw"),
        alt.Tooltip("said:N", title="Shrunk"),
        alt.Tooltip("to_said:N", title="Drawn towards"),
        alt.Tooltip("own:N", title="Own weight"),
        alt.Tooltip("n:N", title="Ended"),
    ]
    base = alt.Chart(data(rows)).encode(y=y)
    known = base.transform_filter(alt.FieldValidPredicate(field="raw", valid=True))
    layers = [
        base.mark_rule(style="interval").encode(x=alt.X("lo:Q", **x), x2=alt.X2("hi:Q")),
        base.mark_tick(style="centre", thickness=2, size=step * 0.5).encode(x=alt.X("to:Q")),
        known.mark_point(style="hollow", size=70, opacity=1).encode(
            x=alt.X("raw:Q"), tooltip=hover
        ),
        base.mark_point(style="point", size=90, opacity=1).encode(x=alt.X("rate:Q"), tooltip=hover),
        base.mark_text(style="muted", align="left", dx=8, fontSize=SMALL).encode(
            x=alt.XValue("width"), text=alt.Text("own:N")
        ),
    ]
    key = _KEY if width >= 300 else [part.strip() for part in _KEY.split(";")]
    return alt.LayerChart(
        layer=layers,
        width=width,
        height=alt.Step(step),
        title=note(key),
        description=_described(rows, word),
    )


def _rows(frame: pl.DataFrame, measure: str) -> list[dict[str, Any]]:
    names = labels(frame, ("user",))
    rows = []
    for who, row in zip(names, frame.iter_rows(named=True), strict=True):
        rate = number(row[f"{measure}_shrunk"])
        if rate is None:
            continue
        low, high = (number(row[f"{measure}_shrunk_{end}"]) or 0.0 for end in ("low", "high"))
        raw, towards = number(row[measure]), number(row[f"{measure}_towards"])
        rows.append(
            {
                "who": who,
                "raw": raw,
                "rate": rate,
                "lo": low,
                "hi": high,
                "to": towards,
                "raw_said": words.percent(raw),
                "said": words.rate(rate, low, high),
                "to_said": words.percent(towards),
                "own": f"{100 * (number(row[f'{measure}_weight']) or 0.0):.0f} %",
                "n": words.count(int(number(row["ended"]) or 0)),
                "ended": int(number(row["ended"]) or 0),
            }
        )
    return sorted(rows, key=lambda r: (-r["rate"], r["who"]))


def _described(rows: Sequence[dict[str, Any]], word: str) -> str:
    moved = [r for r in rows if r["raw"] is not None]
    said = f"{word}, raw and shrunk, of {len(rows)} senders."
    if moved:
        far = max(moved, key=lambda r: abs(r["rate"] - r["raw"]))
        said += (
            f" Drawn the most: {far['who']}, from {far['raw_said']} to "
            f"{words.percent(far['rate'])}, of which {far['own']} is its own."
        )
    return said
