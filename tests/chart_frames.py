"""Scored frames drawn up by hand, and what every chart must stand."""

from __future__ import annotations

import datetime as dt
import functools
import json
from collections.abc import Iterator, Sequence
from typing import Any

import altair as alt
import polars as pl
import vl_convert

from senderscore_nb.charts import theme
from senderscore_nb.policy import ScoringPolicy, load_policy, parse_policy

MONDAY = dt.date(2026, 3, 2)
POLICY = load_policy()

HOSTILE = (
    "<script>alert(1)</script>",
    "</script>{{x}}",
    '=HYPERLINK("http://x.example")',
    "../../etc/x",
    "a\"b'c\\d]e[f.g",
    "\u202eright to left \u05d0\u05d1",
    "nul\x00 and\nline",
    "long " * 2000,
)

_TYPES: dict[str, Any] = {
    "ended": pl.Int64,
    "reply_rate": pl.Float64,
    "reply_rate_low": pl.Float64,
    "reply_rate_high": pl.Float64,
    "bounce_rate": pl.Float64,
    "bounce_rate_low": pl.Float64,
    "bounce_rate_high": pl.Float64,
    "score": pl.Float64,
    "score_low": pl.Float64,
    "score_high": pl.Float64,
    "band_probability": pl.Float64,
    "verdict": pl.String,
    "status": pl.String,
    "missing": pl.Int64,
    "expected_on": pl.Date,
}


def bands(count: int) -> ScoringPolicy:
    """A policy with that many bands."""
    text = POLICY.to_toml().split("[[bands]]")[0]
    for i in range(count):
        text += f'[[bands]]\nname = "Band {i + 1}"\nlower = {i * 100 / count}\n'
    return parse_policy(text)


def scored(
    keys: Sequence[dict[str, Any]],
    scores: Sequence[float | None],
    *,
    policy: ScoringPolicy = POLICY,
    status: str = "collecting",
) -> pl.DataFrame:
    """A scored frame: keys and labels as given; rows without a score have `status`."""
    rows = [
        {**key, **(_row(score) if score is not None else _waiting(status))}
        for key, score in zip(keys, scores, strict=True)
    ]
    names = {name: pl.Date if name == "week" else pl.String for key in keys for name in key}
    frame = pl.DataFrame(rows, schema={**names, **_TYPES}, orient="row")
    band = policy.band(pl.col("score"))
    return frame.with_columns(
        band=band, verdict=pl.coalesce(band.cast(pl.String), pl.col("verdict"))
    )


def senders(scores: Sequence[float | None], **more: Any) -> pl.DataFrame:
    """One row a sender."""
    keys = [{"user_id": str(i), "user_label": f"Sender {i}"} for i in range(len(scores))]
    return scored(keys, scores, **more)


def weeks(people: int, count: int, **more: Any) -> pl.DataFrame:
    """Senders by week; every ninth row is without a score."""
    keys = [
        {"user_id": str(u), "user_label": f"Sender {u}", "week": MONDAY + dt.timedelta(weeks=w)}
        for u in range(people)
        for w in range(count)
    ]
    return scored(keys, [None if i % 9 == 4 else i * 37 % 100 for i in range(len(keys))], **more)


def _row(score: float) -> dict[str, Any]:
    return {
        "ended": 500,
        "reply_rate": 0.08,
        "reply_rate_low": 0.06,
        "reply_rate_high": 0.1,
        "bounce_rate": 0.02,
        "bounce_rate_low": 0.01,
        "bounce_rate_high": 0.03,
        "score": score,
        "score_low": max(0.0, score - 8),
        "score_high": min(100.0, score + 6),
        "band_probability": 0.9,
        "status": "scored",
        "missing": 0,
    }


def _waiting(status: str) -> dict[str, Any]:
    words = {"collecting": "Collecting", "no_paid_seat": "No paid seat"}
    missing = 31 if status == "collecting" else 0
    return {
        "ended": 69,
        "verdict": words.get(status, "Not computable"),
        "status": status,
        "missing": missing,
        "expected_on": dt.date(2026, 12, 12) if missing else None,
    }


def proven(chart: Any) -> dict[str, Any]:
    """The specification, after what every chart must stand: it is valid, described, and drawn."""
    spec: dict[str, Any] = chart.to_dict()
    assert chart.from_dict(spec).to_dict()["description"] == spec["description"]
    assert alt.Chart.from_dict(spec).to_dict().keys() == spec.keys()
    assert len(spec["description"]) > 20
    assert picture(spec).startswith("<svg")
    return spec


def picture(spec: dict[str, Any], mode: str = "light") -> str:
    """The chart as SVG, as the report draws it."""
    config = {**theme("dark" if mode == "dark" else "light"), "aria": False}
    return _drawn(json.dumps({**spec, "config": config}))


@functools.lru_cache(maxsize=4)
def _drawn(spec: str) -> str:
    svg: str = vl_convert.vegalite_to_svg(spec, vl_version="6.4")
    return svg


def expressions(spec: dict[str, Any]) -> list[str]:
    """Every expression of the compiled chart."""
    vega = vl_convert.vegalite_to_vega({**spec, "config": theme("light")}, vl_version="6.4")
    return list(_expressions({k: v for k, v in vega.items() if k != "config"}))


def _expressions(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key in ("signal", "expr", "update", "init", "test") and isinstance(value, str):
                yield value
            elif key != "values":
                yield from _expressions(value)
    elif isinstance(node, list):
        for value in node:
            yield from _expressions(value)


def rows_of(spec: dict[str, Any], field: str) -> list[dict[str, Any]]:
    """All data rows of a chart that have a field."""
    return [row for rows in spec["datasets"].values() for row in rows if field in row]


def mark_types(spec: dict[str, Any]) -> list[str]:
    """The marks of a chart's layers."""
    layers = (spec.get("spec") or spec)["layer"]
    return [layer["mark"]["type"] for layer in layers]


def size(spec: dict[str, Any]) -> int:
    """Bytes of the specification as JSON."""
    return len(json.dumps(spec, separators=(",", ":")))
