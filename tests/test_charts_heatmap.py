"""Heatmaps: cells, order, signs of cells without a score, sizes."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest

from senderscore_nb.charts import heatmap_sequences, heatmap_weeks
from senderscore_nb.charts.palette import contrast
from senderscore_nb.errors import ContractError
from senderscore_nb.reports.pictures import static_svg
from tests.chart_frames import (
    HOSTILE,
    MONDAY,
    POLICY,
    bands,
    expressions,
    mark_types,
    picture,
    proven,
    rows_of,
    scored,
    size,
    weeks,
)


def pairs(people: int, sequences: int) -> pl.DataFrame:
    keys = [
        {
            "user_id": str(u),
            "user_label": f"Sender {u}",
            "sequence_id": str(s),
            "sequence_label": f"Sequence {s}",
        }
        for u in range(people)
        for s in range(sequences)
    ]
    return scored(keys, [None if i % 5 == 3 else i * 13 % 100 for i in range(len(keys))])


def test_each_sender_and_week_is_a_cell_with_its_score() -> None:
    spec = proven(heatmap_weeks(weeks(3, 4), POLICY))
    cells = rows_of(spec, "col")
    assert len({(c["who"], c["col"]) for c in cells}) == len(cells) == 12
    assert mark_types(spec)[0] == "rect"
    assert mark_types(spec)[-2:] == ["rect", "text"]
    assert {c["t"] for c in cells if "band" not in c} == {"•"}
    assert (
        next(c["t"] for c in cells if c["who"] == "Sender 0" and c["col"] == "2026-03-09") == "37"
    )
    assert spec["title"]["text"] == "• collecting"
    assert "1 of 12 cells collecting" in spec["description"]


def test_a_week_without_rows_keeps_its_place() -> None:
    frame = weeks(2, 5).filter(pl.col("week") != MONDAY + dt.timedelta(weeks=2))
    spec = proven(heatmap_weeks(frame, POLICY))
    domain = spec["layer"][0]["encoding"]["x"]["scale"]["domain"]
    assert domain == [str(MONDAY + dt.timedelta(weeks=w)) for w in range(5)]


def test_the_best_latest_score_comes_first_and_no_score_last() -> None:
    keys = [
        {"user_id": u, "user_label": u, "week": MONDAY + dt.timedelta(weeks=w)}
        for u, w in (("low", 0), ("low", 1), ("high", 0), ("high", 1), ("none", 1), ("left", 0))
    ]
    spec = proven(heatmap_weeks(scored(keys, [99, 20, 10, 90, None, 50]), POLICY))
    assert spec["layer"][0]["encoding"]["y"]["scale"]["domain"] == ["high", "left", "low", "none"]


def test_sequences_are_sorted_by_size_and_missing_pairs_are_empty() -> None:
    frame = pairs(3, 4).filter((pl.col("user_id") != "1") | (pl.col("sequence_id") == "2"))
    spec = proven(heatmap_sequences(frame, POLICY))
    x, y = (spec["layer"][0]["encoding"][a]["scale"]["domain"] for a in "xy")
    assert x[0] == "Sequence 2"
    assert y[-1] == "Sender 1"
    assert len(rows_of(spec, "col")) == 9


@pytest.mark.parametrize("status", ["collecting", "no_paid_seat", "not_computable"])
def test_nothing_but_cells_without_a_score(status: str) -> None:
    keys = [{"user_id": "7", "user_label": "Ann", "week": MONDAY}]
    spec = proven(heatmap_weeks(scored(keys, [None], status=status), POLICY))
    sign = rows_of(spec, "col")[0]["t"]
    assert spec["title"]["text"].startswith(sign)
    assert "No scores." in spec["description"]


def test_an_empty_frame_says_so() -> None:
    for chart in (
        heatmap_weeks(weeks(1, 1).clear(), POLICY),
        heatmap_sequences(pairs(1, 1).clear(), POLICY),
    ):
        assert "Nothing to show" in picture(proven(chart))


def test_a_missing_period_is_an_error_in_words() -> None:
    with pytest.raises(ContractError, match="'week'"):
        heatmap_weeks(weeks(1, 1).drop("week"), POLICY)


def test_months_and_teams_work_too() -> None:
    frame = weeks(2, 9).select(pl.exclude("user_id", "user_label"), team=pl.col("user_label"))
    frame = frame.rename({"week": "month"}).with_columns(pl.col("month").dt.truncate("1mo"))
    spec = proven(heatmap_weeks(frame.unique(["team", "month"]), POLICY))
    assert spec["layer"][0]["encoding"]["x"]["scale"]["domain"] == [
        "2026-03-01",
        "2026-04-01",
    ]


def test_equal_labels_of_two_ids_stay_two_rows() -> None:
    keys = [{"user_id": i, "user_label": "Ann", "week": MONDAY} for i in ("1", "2")]
    spec = proven(heatmap_weeks(scored(keys, [20, 80]), POLICY))
    assert spec["layer"][0]["encoding"]["y"]["scale"]["domain"] == ["Ann (2)", "Ann (1)"]


def test_hostile_names_are_data_and_in_no_expression() -> None:
    keys = [
        {"user_id": str(i), "user_label": name, "sequence_id": str(i), "sequence_label": name}
        for i, name in enumerate(HOSTILE)
    ]
    spec = proven(heatmap_sequences(scored(keys, [10.0 * i for i in range(len(keys))]), POLICY))
    for expression in expressions(spec):
        assert not any(part in expression for part in ("alert", "HYPERLINK", "etc", "long", "nul"))
    assert "<script" not in picture(spec)
    assert all(len(row["who"]) <= 90 for row in rows_of(spec, "col"))


@pytest.mark.parametrize("count", [1, 12])
def test_any_number_of_bands(count: int) -> None:
    policy = bands(count)
    spec = proven(heatmap_weeks(weeks(4, 6, policy=policy), policy))
    fill = spec["layer"][0]["encoding"]["fill"]["scale"]
    assert len(fill["domain"]) == len(fill["range"]) == count
    texts = [layer for layer in spec["layer"][1:] if "transform" in layer]
    inks = {
        band: text["mark"]["color"]
        for text in texts
        for band in text["transform"][0]["filter"]["oneOf"]
    }
    assert set(inks) == set(fill["domain"])
    for band, cell in zip(fill["domain"], fill["range"], strict=True):
        assert contrast(cell, inks[band]) >= 4.5


def test_sixty_senders_and_more_cells_than_altair_takes_rows_for() -> None:
    spec = heatmap_weeks(weeks(100, 52), POLICY).to_dict()
    assert len(rows_of(spec, "col")) == 5200
    assert proven(heatmap_weeks(weeks(60, 4), POLICY))


def test_the_picture_of_sixteen_senders_and_thirteen_weeks_is_small() -> None:
    spec = heatmap_weeks(weeks(16, 13), POLICY).to_dict()
    assert len(static_svg(spec)) < 40_000
    assert size(spec) < 40_000
