"""Rankings, changes and rates: order, words, what is certain."""

from __future__ import annotations

import polars as pl
import pytest

from senderscore_nb.charts import changes, ranking, rates
from senderscore_nb.errors import ContractError
from tests.chart_frames import (
    HOSTILE,
    POLICY,
    bands,
    expressions,
    picture,
    proven,
    rows_of,
    scored,
    senders,
)


def domain(spec: dict[str, object]) -> list[str]:
    layers = spec["layer"]
    assert isinstance(layers, list)
    found = [
        layer["encoding"]["y"]["scale"]["domain"]
        for layer in layers
        if "scale" in layer["encoding"].get("y", {})
    ]
    assert all(names == found[0] for names in found)
    return list(found[0])


def moves(*rows: tuple[str, float | None, float | None, bool | None]) -> pl.DataFrame:
    return pl.DataFrame(
        rows,
        schema={
            "user_label": pl.String,
            "score_before": pl.Float64,
            "score": pl.Float64,
            "certain": pl.Boolean,
        },
        orient="row",
    ).with_columns(
        change=pl.col("score") - pl.col("score_before"),
        change_low=pl.col("score") - pl.col("score_before") - 2,
        change_high=pl.col("score") - pl.col("score_before") + 2,
    )


def test_the_best_is_first_and_those_without_a_score_are_last() -> None:
    spec = proven(ranking(senders([20, 95, None, 60]), POLICY))
    assert domain(spec) == ["Sender 1", "Sender 3", "Sender 0", "Sender 2"]
    texts = {r["who"]: r["text"] for r in rows_of(spec, "who")}
    assert texts["Sender 1"].endswith("Excellent")
    assert texts["Sender 2"].startswith("Collecting, 31 more")
    assert "1 collecting" in spec["description"]
    assert "Highest Sender 1 95.0" in spec["description"]


def test_intervals_are_drawn_as_given() -> None:
    row = next(r for r in rows_of(proven(ranking(senders([60]), POLICY)), "lo"))
    assert (row["lo"], row["score"], row["hi"]) == (52, 60, 66)


@pytest.mark.parametrize("status", ["collecting", "no_paid_seat", "not_computable"])
def test_nobody_has_a_score(status: str) -> None:
    spec = proven(ranking(senders([None, None], status=status), POLICY))
    assert "No scores." in spec["description"]
    assert not rows_of(spec, "score")


def test_empty_frames_say_so() -> None:
    nobody = senders([1]).clear()
    for chart in (ranking(nobody, POLICY), rates(nobody), changes(moves().clear(), POLICY)):
        assert "Nothing to show" in picture(proven(chart))


@pytest.mark.parametrize("count", [1, 12])
def test_any_number_of_bands(count: int) -> None:
    policy = bands(count)
    spec = proven(ranking(senders([0, 50, 100], policy=policy), policy))
    assert len(rows_of(spec, "low")) >= count


def test_sequences_are_ranked_too() -> None:
    keys = [{"sequence_id": str(i), "sequence_label": f"Sequence {i}"} for i in range(2)]
    assert domain(proven(ranking(scored(keys, [10, 50]), POLICY))) == ["Sequence 1", "Sequence 0"]


def test_sixty_senders_and_equal_labels() -> None:
    frame = senders([float(i) for i in range(60)]).with_columns(user_label=pl.lit("Ann"))
    assert len(set(domain(proven(ranking(frame, POLICY))))) == 60


def test_a_certain_change_is_filled_and_noise_says_so() -> None:
    spec = proven(changes(moves(("Ann", 50, 70, True), ("Bo", 60, 59, False)), POLICY))
    texts = {r["who"]: r["text"] for r in rows_of(spec, "who")}
    assert texts == {"Ann": "+20.0", "Bo": "−1.0 (noise)"}
    assert domain(spec) == ["Ann", "Bo"]
    styles = {la["mark"].get("style") for la in spec["layer"] if la["mark"]["type"] == "rule"}
    assert len(styles) == 2
    assert "1 changed by more than noise" in spec["description"]


def test_changes_without_both_scores_are_left_out() -> None:
    spec = proven(changes(moves(("Ann", None, 70, None), ("Bo", 60, 59, None)), POLICY))
    assert {r["who"] for r in rows_of(spec, "who")} == {"Bo"}
    assert "Nothing to show" in picture(proven(changes(moves(("Ann", None, 70, None)), POLICY)))


def test_all_scores_are_within_the_axis() -> None:
    spec = proven(changes(moves(("Ann", 0, 100, True), ("Bo", 40, 41, False)), POLICY))
    low, high = next(
        la["encoding"]["x"]["scale"]["domain"]
        for la in spec["layer"]
        if "scale" in la["encoding"].get("x", {})
    )
    assert (low, high) == (0, 100)


def test_a_missing_column_is_an_error_in_words() -> None:
    with pytest.raises(ContractError, match="'certain'"):
        changes(moves().drop("certain"), POLICY)
    with pytest.raises(ContractError, match="'score'"):
        ranking(senders([1]).drop("score"), POLICY)


def test_rates_show_both_with_intervals() -> None:
    spec = rates(senders([20, None, 60])).to_dict()
    assert spec["description"]
    assert "reply" in str(spec).casefold()
    assert "bounce" in str(spec).casefold()
    assert picture(spec).startswith("<svg")


def test_hostile_names_are_in_no_expression() -> None:
    keys = [{"user_id": str(i), "user_label": name} for i, name in enumerate(HOSTILE)]
    ranked = ranking(scored(keys, [10.0 * i for i in range(len(keys))]), POLICY)
    changed = changes(moves(*((name, 50.0, 60.0, True) for name in HOSTILE)), POLICY)
    for chart in (ranked, changed):
        spec = proven(chart)
        for expression in expressions(spec):
            assert not any(p in expression for p in ("alert", "HYPERLINK", "etc", "long", "nul"))
        assert "<script" not in picture(spec)
