"""Gauges: what is drawn for whom, what they say, and that nothing a user names breaks them."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import math
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import altair as alt
import polars as pl
import pytest
import vl_convert as vlc
from hypothesis import given, settings
from hypothesis import strategies as st

from senderscore_nb.charts import band_colours, gauge, gauge_wall, theme
from senderscore_nb.errors import ContractError
from senderscore_nb.policy import ScoringPolicy, load_policy

POLICY = load_policy()
HOSTILE = [
    "<script>alert(1)</script>",
    "\"quoted\" 'twice' \\",
    '=HYPERLINK("http://x")',
    "\u202eمرحبا بالعالم",
    "nul\x00 and \x1b",
    "../../etc/x",
    "datum.x[0].y {{x}} ${y}",
    "x" * 10_000,
    "",
]


def row(**given: Any) -> dict[str, Any]:
    """A scored row; only what a test is about has to be given."""
    return {
        "user_id": "7",
        "user_label": "Ann",
        "ended": 1250,
        "score": 74.2,
        "score_low": 71.0,
        "score_high": 79.0,
        "band": "Good",
        "band_probability": 0.9,
        "verdict": "probably Good",
        "status": "scored",
        "missing": 0,
        "expected_on": None,
        "reply_rate": 0.08,
        "bounce_rate": 0.03,
        **given,
    }


def collecting(**given: Any) -> dict[str, Any]:
    nothing = dict.fromkeys(("score", "score_low", "score_high", "band", "band_probability"))
    words = {"verdict": "Collecting", "status": "collecting", "ended": 69, "missing": 31}
    return row(**{**nothing, **words, "expected_on": dt.date(2025, 12, 12), **given})


def frame(*rows: dict[str, Any], policy: ScoringPolicy = POLICY) -> pl.DataFrame:
    types: dict[str, Any] = {
        "band": pl.Enum(policy.band_names),
        "expected_on": pl.Date,
        **dict.fromkeys(("score", "score_low", "score_high", "band_probability"), pl.Float64),
    }
    empty = {name: [] for name in row()}
    return pl.DataFrame(list(rows) or empty, schema_overrides=types)


def many(count: int) -> pl.DataFrame:
    rows = []
    for i in range(count):
        given = {"user_id": str(i), "user_label": f"Sender number {i}"}
        score = (i * 37 % 1000) / 10
        low, high = max(0.0, score - 5.43), min(100.0, score + 4.21)
        band = [b.name for b in POLICY.bands if score >= b.lower][-1]
        verdict = f"probably {band}"
        rows.append(
            collecting(**given)
            if i % 8 == 7
            else row(
                **given, score=score, score_low=low, score_high=high, band=band, verdict=verdict
            )
        )
    return frame(*rows)


def bands(count: int) -> ScoringPolicy:
    data = POLICY.model_dump()
    data["bands"] = [{"name": f"Band {i}", "lower": i * 100 / count} for i in range(count)]
    return ScoringPolicy.model_validate(data)


def layers(spec: dict[str, Any]) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Each layer with its rows."""
    for layer in spec["layer"]:
        data = layer.get("data", spec.get("data", {}))
        yield layer, data.get("values", spec.get("datasets", {}).get(data.get("name"), []))


def styled(spec: dict[str, Any], style: str) -> list[dict[str, Any]]:
    """The rows that marks of a style draw."""
    return [r for layer, rows in layers(spec) if layer["mark"].get("style") == style for r in rows]


def texts(spec: dict[str, Any]) -> list[str]:
    return [r["text"] for la, rows in layers(spec) if la["mark"]["type"] == "text" for r in rows]


def arcs_of_bands(spec: dict[str, Any]) -> list[dict[str, Any]]:
    return [r for la, rows in layers(spec) if "color" in la["encoding"] for r in rows]


def svg(chart: alt.TopLevelMixin, mode: str = "light") -> str:
    """The chart's picture, which must be well-formed; the chart must survive a round trip."""
    spec = chart.to_dict()
    again = alt.Chart.from_dict(spec).to_dict()
    assert again == spec
    picture = vlc.vegalite_to_svg(json.dumps({**spec, "config": theme(mode)}), vl_version="6.4")
    ElementTree.fromstring(picture)  # noqa: S314
    assert "NaN" not in picture
    return str(picture)


def test_arcs_are_as_long_as_the_bands() -> None:
    arcs = arcs_of_bands(gauge(frame(row()), POLICY).to_dict())
    assert [a["band"] for a in arcs] == list(POLICY.band_names)
    edges = [band.lower for band in POLICY.bands] + [POLICY.most]
    for arc, (low, high) in zip(arcs, itertools.pairwise(edges), strict=True):
        expected = (high - low) / POLICY.most * math.pi
        assert arc["b"] - arc["a"] == pytest.approx(expected, abs=0.03)


@pytest.mark.parametrize(
    ("score", "degrees"), [(0, -90), (50, 0), (75, 45), (100, 90), (140, 90), (-3, -90)]
)
def test_the_needle_points_at_the_score(score: float, degrees: float) -> None:
    spec = gauge(frame(row(score=score, score_low=None, score_high=None)), POLICY).to_dict()
    assert [n["deg"] for n in styled(spec, "needle")] == [degrees]
    assert styled(spec, "arc") == []


def test_the_interval_lies_outside_the_bands() -> None:
    spec = gauge(frame(row(score_low=25.0, score_high=75.0)), POLICY).to_dict()
    (interval,) = styled(spec, "arc")
    assert interval["a"] == pytest.approx(-math.pi / 4, abs=1e-3)
    assert interval["b"] == pytest.approx(math.pi / 4, abs=1e-3)
    arcs = [la["mark"] for la, _ in layers(spec) if la["mark"]["type"] == "arc"]
    radii = {mark.get("style", "bands"): mark for mark in arcs}
    assert radii["arc"]["innerRadius"] > radii["bands"]["outerRadius"]


def test_a_gauge_says_in_words_what_it_shows() -> None:
    spec = gauge(frame(row()), POLICY).to_dict()
    written = " | ".join(texts(spec))
    for part in ("Ann", "74.2", "probably Good", "71.0–79.0", "ended", *POLICY.band_names, "70"):
        assert part in written
    for part in ("Ann", "74.2", "71.0–79.0", "probably Good", POLICY.fingerprint):
        assert part in spec["description"]
    scale = next(
        la["encoding"]["color"]["scale"] for la in spec["layer"] if "color" in la["encoding"]
    )
    assert scale == {"domain": list(POLICY.band_names), "range": band_colours(POLICY)}


def test_collecting_shows_the_way_to_the_minimum_and_no_needle() -> None:
    spec = gauge(frame(collecting()), POLICY).to_dict()
    assert styled(spec, "needle") == []
    assert arcs_of_bands(spec) == []
    (progress,) = styled(spec, "progress")
    share = (progress["b"] - progress["a"]) / math.pi
    assert share == pytest.approx(0.69, abs=1e-3)
    written = " | ".join(texts(spec))
    assert "Collecting" in written
    assert "31 more needed, about 12 Dec 2025" in written
    assert "31 more needed" in spec["description"]


@pytest.mark.parametrize(
    ("status", "words"), [("no_paid_seat", "No paid seat"), ("not_computable", "Not computable")]
)
def test_without_a_score_the_gauge_says_why(status: str, words: str) -> None:
    spec = gauge(frame(collecting(status=status, verdict=words, missing=0)), POLICY).to_dict()
    assert styled(spec, "needle") == styled(spec, "progress") == []
    assert words in texts(spec)
    assert words.lower() in spec["description"].lower()


@pytest.mark.parametrize("score", [None, math.nan])
def test_a_null_score_is_not_drawn(score: float | None) -> None:
    spec = gauge(frame(row(score=score)), POLICY).to_dict()
    assert styled(spec, "needle") == []
    assert "Not computable" in texts(spec)
    svg(gauge(frame(row(score=score)), POLICY))


def test_several_rows_are_not_one_gauge() -> None:
    with pytest.raises(ContractError, match="gauge_wall"):
        gauge(many(2), POLICY)


def test_a_frame_without_scores_is_refused() -> None:
    with pytest.raises(ContractError, match="score"):
        gauge_wall(frame(row()).drop("score"), POLICY)
    with pytest.raises(ContractError, match="column"):
        gauge_wall(frame(row()), POLICY, columns=0)


def test_nothing_to_show() -> None:
    for chart in (gauge(frame(), POLICY), gauge_wall(frame(), POLICY)):
        assert texts(chart.to_dict()) == ["Nothing to show"]
        assert "nothing to show" in chart.to_dict()["description"]
        svg(chart)


def test_the_wall_is_sorted_by_score_and_those_without_come_last() -> None:
    rows = many(12)
    spec = gauge_wall(rows, POLICY).to_dict()
    names = next(rs for la, rs in layers(spec) if la["mark"].get("style") == "strong")
    placed = [r["text"] for r in sorted(names, key=lambda r: (round(r["y"]), r["x"]))]
    scored = rows.filter(pl.col("score").is_not_null()).sort("score", descending=True)
    expected = scored["user_label"].to_list()
    assert placed[: len(expected)] == expected
    assert set(placed[len(expected) :]) == {"Sender number 7"}
    assert f"Highest {expected[0]}" in spec["description"]
    assert f"lowest {expected[-1]}" in spec["description"]
    assert "1 collecting" in spec["description"]


@pytest.mark.parametrize(("columns", "width"), [(4, None), (2, 360), (3, 700), (1, 180)])
def test_the_wall_keeps_its_columns_and_its_width(columns: int, width: int | None) -> None:
    spec = gauge_wall(many(9), POLICY, columns=columns, width=width).to_dict()
    panels = next(rs for la, rs in layers(spec) if la["mark"]["type"] == "rect")
    assert len({r["x"] for r in panels}) == columns
    assert len({r["y"] for r in panels}) == math.ceil(9 / columns)
    assert spec["width"] <= (width or 900)
    assert all(0 <= r["x"] < r["x2"] <= spec["width"] for r in panels)
    assert all(0 <= r["y"] < r["y2"] <= spec["height"] for r in panels)
    for one, other in itertools.pairwise(panels):
        assert one["x2"] <= other["x"] or one["y2"] <= other["y"] or one["y"] > other["y"]


def test_a_wall_of_sixteen_is_small() -> None:
    chart = gauge_wall(many(16), POLICY)
    assert len(chart.to_json(indent=None)) < 40_000
    assert len(svg(chart)) < 45_000


def test_sixty_senders_with_a_tooltip_each() -> None:
    chart = gauge_wall(many(60), POLICY)
    spec = chart.to_dict()
    (panels,) = (rs for la, rs in layers(spec) if "tooltip" in la["encoding"])
    assert len(panels) == 60
    assert {"Name", "Score", "Ended", "Replies"} <= {
        t["title"] for la in spec["layer"] for t in la["encoding"].get("tooltip", [])
    }
    svg(chart)


def test_all_collecting_need_no_key_of_bands() -> None:
    rows = [collecting(user_id=str(i), user_label=f"S{i}") for i in range(5)]
    spec = gauge_wall(frame(*rows), POLICY).to_dict()
    assert arcs_of_bands(spec) == []
    assert len(styled(spec, "progress")) == 5
    assert "No scores." in spec["description"]
    assert "5 collecting" in spec["description"]
    svg(gauge_wall(frame(*rows), POLICY))


def test_equal_labels_are_told_apart_by_their_ids() -> None:
    spec = gauge_wall(frame(row(user_id="7"), row(user_id="8", score=71.0)), POLICY).to_dict()
    assert {"Ann (7)", "Ann (8)"} <= set(texts(spec))


def test_without_labels_the_id_is_the_name() -> None:
    assert "7" in texts(gauge(frame(row()).drop("user_label"), POLICY).to_dict())
    bare = frame(row()).select("ended", "score", "band", "status")
    assert "Everyone" in texts(gauge(bare, POLICY).to_dict())


@pytest.mark.parametrize("count", [1, 2, 5, 12])
def test_policies_of_any_number_of_bands(count: int) -> None:
    policy = bands(count)
    rows = frame(
        row(band=policy.band_names[-1], verdict=policy.band_names[-1], score=99.0), policy=policy
    )
    for chart in (gauge(rows, policy), gauge_wall(rows, policy, columns=2, width=360)):
        assert len(arcs_of_bands(chart.to_dict())) == count
        svg(chart)
    written = texts(gauge(rows, policy).to_dict())
    assert {policy.band_names[0], policy.band_names[-1], "0", "100"} <= set(written)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_text(name: str) -> None:
    rows = frame(row(user_label=name), row(user_id=name or "8", user_label=None, score=40.0))
    for chart in (gauge_wall(rows, POLICY), gauge(rows[:1], POLICY)):
        spec = chart.to_dict()
        shown = [t for t in texts(spec) if t]
        assert max(len(t) for t in shown) <= 120
        assert not any(ord(c) < 32 or c in "\u202e\u200f" for t in shown for c in t)
        assert "expr" not in json.dumps([la["encoding"] for la in spec["layer"]])
        assert len(spec["description"]) < 700
        assert "<script>" not in svg(chart)


def test_a_hostile_policy_is_text() -> None:
    data = POLICY.model_dump()
    data["bands"] = [
        {"name": "<script>x</script>", "lower": 0},
        {"name": "a.b[0] 'c'", "lower": 50},
    ]
    policy = ScoringPolicy.model_validate(data)
    rows = frame(row(band="a.b[0] 'c'", verdict="a.b[0] 'c'"), policy=policy)
    for chart in (gauge(rows, policy), gauge_wall(rows, policy)):
        assert len({a["band"] for a in arcs_of_bands(chart.to_dict())}) == 2
        assert "<script>" not in svg(chart)


def test_every_style_is_one_of_the_theme() -> None:
    used = {
        layer["mark"].get("style")
        for chart in (gauge(frame(row()), POLICY), gauge_wall(many(9), POLICY))
        for layer in chart.to_dict()["layer"]
    }
    assert used - {None} <= set(theme()["style"])


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_text_takes_the_colours_of_the_mode(mode: str) -> None:
    chart = gauge_wall(many(9), POLICY)
    assert "config" not in chart.to_dict() or "style" not in chart.to_dict()["config"]
    picture = svg(chart, mode)
    assert theme(mode)["style"]["ink"]["color"] in picture
    assert 'fill="black"' not in picture


numbers = st.one_of(st.none(), st.floats(-50, 200), st.just(math.nan), st.just(math.inf))


@settings(max_examples=25)
@given(
    st.lists(
        st.builds(
            row,
            user_id=st.text(max_size=9),
            user_label=st.one_of(st.none(), st.text(max_size=90)),
            score=numbers,
            score_low=numbers,
            score_high=numbers,
            ended=st.integers(0, 10**9),
            missing=st.integers(0, 100),
            status=st.sampled_from(["scored", "collecting", "no_paid_seat", "not_computable"]),
            expected_on=st.one_of(st.none(), st.dates()),
        ),
        max_size=6,
    ),
    st.integers(1, 5),
)
def test_any_rows_make_a_wall(rows: list[dict[str, Any]], columns: int) -> None:
    spec = gauge_wall(frame(*rows), POLICY, columns=columns).to_dict()
    assert spec["description"]
    needles = styled(spec, "needle")
    finite = [
        r
        for r in rows
        if r["status"] == "scored" and r["score"] is not None and math.isfinite(r["score"])
    ]
    assert len(needles) == len(finite)
    assert all(-90 <= n["deg"] <= 90 for n in needles)
    json.dumps(spec, allow_nan=False)
