"""Charts of factors: order, words, what is certain, and what data can do to them."""

from __future__ import annotations

import polars as pl
import pytest

from senderscore_nb.charts import forest, heatmap_factors, partial_curve
from senderscore_nb.drivers.factors_frames import CURVES, EFFECTS
from senderscore_nb.drivers.factors_pairs import PAIRS, factor_pairs
from senderscore_nb.errors import ContractError, FactorError
from senderscore_nb.sample import simulate
from tests.chart_frames import HOSTILE, expressions, mark_types, picture, proven, rows_of


def effects(*rows: tuple[str, str, float | None, bool | None]) -> pl.DataFrame:
    made = [
        {
            "outcome": "replied", "factor": factor, "level": level, "against": "all others",
            "enrollments": 900, "difference_pp": value, "certain": certain,
            "difference_pp_low": None if value is None else value - 1,
            "difference_pp_high": None if value is None else value + 1, "notes": "",
        }
        for factor, level, value, certain in rows
    ]  # fmt: skip
    return pl.DataFrame(made, schema=EFFECTS)


def curve(*values: float) -> pl.DataFrame:
    made = [
        {
            "outcome": "replied", "factor": "x", "value": v, "enrollments": 100 + i, "events": 9,
            "rate": 0.09, "adjusted_rate": 0.1, "adjusted_low": 0.08, "adjusted_high": 0.12,
        }
        for i, v in enumerate(values)
    ]  # fmt: skip
    return pl.DataFrame(made, schema=CURVES)


def pairs(*cells: tuple[str, str, float | None, float]) -> pl.DataFrame:
    made = [
        {
            "outcome": "replied", "row_factor": "a", "column_factor": "b", "row": row,
            "column": column, "enrollments": 50, "events": 5, "rate": 0.1, "adjusted_rate": rate,
            "adjusted_low": None if rate is None else rate - half,
            "adjusted_high": None if rate is None else rate + half,
        }
        for row, column, rate, half in cells
    ]  # fmt: skip
    return pl.DataFrame(made, schema=PAIRS)


def test_factors_with_a_certain_level_come_first_and_levels_stand_under_them() -> None:
    spec = proven(
        forest(
            effects(
                ("colour", "red", 0.4, False), ("list", "a", -2.0, True), ("list", "b", 3.0, False)
            ),
            names={"list": "contact list"},
        )
    )
    domain = spec["layer"][1]["encoding"]["y"]["scale"]["domain"]
    assert domain == ["Contact list", "· a", "· b", "Colour", "· red"]
    assert "1 differ by more than chance" in spec["description"]
    assert "list a against all others: −2.0" in spec["description"]


def test_what_is_certain_differs_by_shape_and_weight_not_only_colour() -> None:
    spec = proven(forest(effects(("c", "red", 0.4, False), ("c", "blue", 2.0, True))))
    points = [m["mark"] for m in spec["layer"] if m["mark"]["type"] == "point"]
    assert {m["shape"] for m in points} == {"diamond", "circle"}
    texts = [m["mark"]["style"] for m in spec["layer"] if m["mark"]["type"] == "text"]
    assert set(texts) == {"strong", "muted"}
    assert "◆ more than chance" in picture(spec)


def test_levels_of_the_same_name_stay_apart_and_many_are_cut() -> None:
    many = effects(*(("c", f"level {i}", float(i), False) for i in range(20)),
                   ("d", "level 1", 0.1, False))  # fmt: skip
    spec = proven(forest(many, most=3))
    domain = spec["layer"][1]["encoding"]["y"]["scale"]["domain"]
    assert len(set(domain)) == len(domain) == 6
    assert "17 smaller ones not shown" in picture(spec)
    twice = forest(effects(("c", "x", 1.0, False), ("d", "x", 0.5, False))).to_dict()
    assert len(set(twice["layer"][1]["encoding"]["y"]["scale"]["domain"])) == 4


def test_empty_frames_and_missing_columns() -> None:
    for chart in (
        forest(effects()),
        forest(effects(("c", "x", None, None))),
        partial_curve(curve(), "x"),
        partial_curve(curve(1.0, 2.0), "nosuch"),
        heatmap_factors(pairs()),
    ):
        assert "Nothing to show" in picture(proven(chart))
    with pytest.raises(ContractError, match="'level'"):
        forest(effects().drop("level"))
    with pytest.raises(ContractError, match="'rate'"):
        partial_curve(curve().drop("rate"), "x")
    with pytest.raises(ContractError, match="'row'"):
        heatmap_factors(pairs().drop("row"))


def test_a_curve_has_its_band_and_the_observed_rates() -> None:
    spec = proven(partial_curve(curve(1, 2, 5), "x", name="sends"))
    assert mark_types(spec) == ["area", "point", "line"]
    assert [r["value"] for r in rows_of(spec, "adjusted")] == [1, 2, 5]
    assert "10.0 % (8.0–12.0 %) at 1" in spec["description"]
    assert proven(partial_curve(curve(3), "x"))


def test_cells_are_pale_where_unsure_and_dashed_where_few() -> None:
    spec = proven(heatmap_factors(
        pairs(("r", "c", 0.1, 0.01), ("r", "d", 0.2, 0.15), ("s", "c", None, 0))))  # fmt: skip
    sure = {(r["who"], r["col"]): r["sure"] for r in rows_of(spec, "sure") if "class" in r}
    assert sure == {("r", "c"): True, ("r", "d"): False}
    assert any(m["mark"].get("strokeDash") for m in spec["layer"])
    assert "1 with too few enrollments" in spec["description"]
    assert "50" in picture(spec)
    assert proven(heatmap_factors(pairs(("r", "c", 0.1, 0.01))))
    assert proven(heatmap_factors(pairs(("r", "c", None, 0))))


def test_hostile_names_are_in_no_expression() -> None:
    shown = forest(effects(*((name, name, 1.0, i % 2 == 0) for i, name in enumerate(HOSTILE))))
    cells = heatmap_factors(pairs(*((name, name, 0.1, 0.01) for name in HOSTILE)))
    drawn = partial_curve(curve(1, 2), "x", name=HOSTILE[0])
    for chart in (shown, cells, drawn):
        spec = proven(chart)
        for expression in expressions(spec):
            assert not any(p in expression for p in ("alert", "HYPERLINK", "etc", "long", "nul"))
        for mode in ("light", "dark"):
            assert "<script" not in picture(spec, mode)


def test_two_factors_at_once() -> None:
    rows = simulate(2, volume=0.5)
    found = factor_pairs(rows, "sends_since_engagement", "segment")
    assert found["row"].n_unique() == 6
    assert found["column"].n_unique() == 4
    assert (found["adjusted_low"] <= found["adjusted_high"]).drop_nulls().all()
    mean = (found["adjusted_rate"] * found["enrollments"]).sum() / found["enrollments"].sum()
    assert mean == pytest.approx(found["events"].sum() / found["enrollments"].sum(), abs=0.004)
    assert proven(heatmap_factors(found))
    assert factor_pairs(rows.clear(), "segment", "steps").is_empty()
    with pytest.raises(FactorError, match="both factors"):
        factor_pairs(rows, "segment", "segment")
    with pytest.raises(FactorError, match="follows"):
        factor_pairs(rows, "segment", "opened")
    assert factor_pairs(rows, "segment", "sequence_id", outcome="bounced").height > 20
