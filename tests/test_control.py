"""Control charts: published limits, a slow referee, laws, and how often they cry wolf."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from senderscore_nb import control
from senderscore_nb.control import LEAST_PERIODS, SIDES, TAIL, control_chart
from senderscore_nb.errors import ContractError

CANS = (
    *(12, 15, 8, 10, 4, 7, 16, 9, 14, 10, 5, 6, 17, 12, 22),
    *(8, 10, 5, 13, 11, 20, 18, 24, 15, 9, 12, 7, 13, 9, 6),
)


def periods_of(counts, n):
    sizes = [n] * len(counts) if isinstance(n, int) else n
    schema = {"period": pl.Int64, "count": pl.Int64, "n": pl.Int64}
    return pl.DataFrame([range(len(counts)), counts, sizes], schema=schema)


def judged(baseline, count, n):
    """The chart's row of one more period, judged by (count, n) pairs before it."""
    counts, sizes = zip(*baseline, (count, n), strict=True)
    chart = control_chart(
        periods_of(list(counts), list(sizes)), baseline=pl.col("period") < len(baseline)
    )
    return chart.row(-1, named=True)


known_pairs = st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
pairs = st.one_of(known_pairs, st.tuples(st.sampled_from([None, 0, 3]), st.sampled_from([0, None])))
histories = st.lists(pairs, min_size=1, max_size=30)


def test_the_orange_juice_cans_of_montgomery():
    """Montgomery, Introduction to Statistical Quality Control: the p-chart of 30 samples of 50."""
    chart = control_chart(periods_of(CANS, 50), spread="binomial")
    assert chart["centre"].unique().to_list() == [pytest.approx(0.2313, abs=5e-5)]
    assert chart["low"].unique().to_list() == [pytest.approx(0.0524, abs=5e-5)]
    assert chart["high"].unique().to_list() == [pytest.approx(0.4102, abs=5e-5)]
    outside = chart.filter(pl.col("side") != "within")
    assert (outside["period"] + 1).to_list() == [15, 23]
    assert outside["side"].to_list() == ["above", "above"]


def plain(history):
    """Laney's p′ chart written down slowly; None where it has too few periods."""
    known = [(c, n) for c, n in history if c is not None and n]
    if not known:
        return None, None, []
    centre = sum(c for c, _ in known) / sum(n for _, n in known)
    spreads = [math.sqrt(centre * (1 - centre) / n) for _, n in known]
    z = [(c / n - centre) / s if s else 0.0 for (c, n), s in zip(known, spreads, strict=True)]
    if len(known) < LEAST_PERIODS:
        return centre, None, []
    sigma = sum(abs(b - a) for a, b in pairwise(z)) / (len(z) - 1) / 1.128
    halves = [3 * s * max(1.0, sigma) for s in spreads]
    return centre, sigma, [(max(0.0, centre - h), min(1.0, centre + h)) for h in halves]


@given(histories)
def test_the_chart_agrees_with_laneys_formulas_written_down_plainly(history):
    chart = control_chart(periods_of(*zip(*history, strict=True)))
    centre, sigma, limits = plain(history)
    known = chart.filter(pl.col("rate").is_not_null())
    assert chart["baseline_periods"].to_list() == [known.height] * len(history)
    assert known["centre"].to_list() == pytest.approx([centre] * known.height)
    if sigma is None:
        assert chart["sigma_z"].null_count() == chart["side"].null_count() == len(history)
        return
    assert known["sigma_z"].to_list() == pytest.approx([sigma] * known.height, abs=1e-9)
    assert known.select("low", "high").rows() == [pytest.approx(both) for both in limits]
    unknown = chart.filter(pl.col("rate").is_null())
    for name in ("low", "high", "z", "side"):
        assert unknown[name].null_count() == unknown.height


@given(histories)
def test_laneys_limits_are_the_p_charts_widened_by_sigma_z(history):
    periods = periods_of(*zip(*history, strict=True))
    laney, plain_p = control_chart(periods), control_chart(periods, spread="binomial")
    sigma = laney["sigma_z"].clip(lower_bound=1.0)
    for name in ("low", "high"):
        half = (plain_p[name] - plain_p["centre"]).abs() * sigma
        narrow = laney.filter(laney[name].is_between(0, 1, closed="none"))
        wide = pl.DataFrame({"half": half}).filter(laney[name].is_between(0, 1, closed="none"))
        got = (narrow[name] - narrow["centre"]).abs().to_list()
        assert got == pytest.approx(wide["half"].to_list(), abs=1e-9)
    if laney["sigma_z"].null_count() == 0 and laney["sigma_z"][0] <= 1:
        assert_frame_equal(laney.drop("sigma_z"), plain_p.drop("sigma_z"))


@given(st.lists(known_pairs, min_size=8, max_size=20), st.integers(2, 50))
def test_limits_of_clumped_counts_do_not_depend_on_the_size_of_the_clumps(history, times):
    """Ten enrollments that share their fate are one: Laney's limits know, the p-chart does not."""
    once = control_chart(periods_of(*zip(*history, strict=True)))
    clumped = [(c * times, n * times) for c, n in history]
    many = control_chart(periods_of(*zip(*clumped, strict=True)))
    assert many["sigma_z"][0] == pytest.approx(once["sigma_z"][0] * math.sqrt(times), abs=1e-9)
    if once["sigma_z"][0] >= 1:
        columns = ["rate", "centre", "low", "high"]
        assert_frame_equal(once.select(columns), many.select(columns), abs_tol=1e-9)


@given(st.lists(known_pairs, min_size=8, max_size=20), st.randoms(use_true_random=False))
def test_rows_may_come_in_any_order_and_keys_do_not_touch_each_other(history, random):
    one = periods_of(*zip(*history, strict=True)).with_columns(user=pl.lit("1"))
    other = one.with_columns(pl.col("count") * 0, user=pl.lit(None, pl.String))
    rows = pl.concat([one, other]).with_columns(note=pl.lit("kept"))
    places = list(range(rows.height))
    random.shuffle(places)
    chart = control_chart(rows, by=["user"])
    assert_frame_equal(control_chart(rows[places], by=["user"]), chart)
    alone = control_chart(one.drop("user"))
    assert_frame_equal(chart.filter(user="1").drop("user", "note"), alone)
    assert chart["note"].unique().to_list() == ["kept"]


@given(st.lists(known_pairs, min_size=8, max_size=20))
def test_sides_of_a_p_chart_are_exact_binomial_tails(history):
    chart = control_chart(periods_of(*zip(*history, strict=True)), spread="binomial")
    for row in chart.iter_rows(named=True):
        spread = scipy.stats.binom(row["n"], row["centre"])
        more, fewer = spread.sf(row["count"] - 1), spread.cdf(row["count"])
        expected = "above" if more < TAIL else "below" if fewer < TAIL else "within"
        if min(abs(more - TAIL), abs(fewer - TAIL)) > 1e-6:
            assert row["side"] == expected, (row, more, fewer)


@given(st.lists(known_pairs, min_size=8, max_size=12), st.integers(1, 200))
@settings(max_examples=20)
def test_a_new_period_is_judged_by_what_the_past_predicts(history, n):
    """Without clumping: the Beta-binomial that a Jeffreys posterior of the past predicts."""
    counts = range(n + 1)
    rows = periods_of(*zip(*history, *((count, n) for count in counts), strict=True))
    chart = control_chart(rows, baseline=pl.col("period") < len(history), spread="binomial")
    total, size = (sum(column) for column in zip(*history, strict=True))
    predicted = scipy.stats.betabinom(n, total + 0.5, size - total + 0.5)
    for count, side in zip(counts, chart["side"][len(history) :], strict=True):
        more, fewer = predicted.sf(count - 1), predicted.cdf(count)
        if min(abs(more - TAIL), abs(fewer - TAIL)) > 1e-6:
            assert side == ("above" if more < TAIL else "below" if fewer < TAIL else "within")


@given(st.lists(known_pairs, min_size=8, max_size=20), st.integers(1, 300), st.data())
def test_more_never_lies_lower(history, n, data):
    few = data.draw(st.integers(0, n))
    many = data.draw(st.integers(few, n))
    sides = [SIDES.index(judged(history, count, n)["side"]) for count in (few, many)]
    assert sides[0] <= sides[1]


def test_the_judged_period_does_not_move_its_own_limits():
    history = [(2 + i % 3, 100) for i in range(26)]
    calm, wild = judged(history, 3, 100), judged(history, 60, 100)
    for name in ("centre", "sigma_z", "low", "high", "baseline_periods"):
        assert calm[name] == wild[name]
    assert (calm["side"], wild["side"]) == ("within", "above")


def test_a_regular_past_does_not_make_alarms_trigger_happy():
    """Sigma_z is 0, and still three more replies than always are nothing."""
    row = judged([(8, 100)] * 26, 11, 100)
    assert row["sigma_z"] == 0
    assert row["high"] == pytest.approx(0.08 + 3 * math.sqrt(0.08 * 0.92 / 100))
    assert row["side"] == "within"


def test_a_past_without_bounces_does_not_forbid_the_first_one():
    history = [(0, 100)] * 26
    assert judged(history, 1, 100)["side"] == "within"
    assert judged(history, 1, 1)["side"] == "above"
    assert judged(history, 9, 100)["side"] == "above"
    assert judged([(100, 100)] * 26, 99, 100)["side"] == "within"
    assert judged([(100, 100)] * 26, 60, 100)["side"] == "below"


def test_few_baseline_periods_judge_nothing_and_eight_judge_carefully():
    assert judged([(2, 100)] * 7, 90, 100)["side"] is None
    eight, many = [(40, 1000), (50, 1000)] * 4, [(40, 1000), (50, 1000)] * 13
    assert judged(eight, 150, 1000)["side"] == "above"
    assert judged(many, 100, 1000)["side"] == "above"
    assert judged(eight, 100, 1000)["side"] == "within"


def test_nothing_to_chart():
    empty = control_chart(periods_of([], 50))
    assert empty.is_empty()
    nulls = control_chart(periods_of([None] * 10, 50))
    assert nulls["side"].null_count() == nulls["centre"].null_count() == 10
    assert control_chart(periods_of([3], 50))["side"].to_list() == [None]
    nobody = control_chart(periods_of([0] * 10, 0))
    assert nobody["rate"].null_count() == 10


def test_columns_of_the_charts_names_are_replaced_and_missing_ones_named():
    periods = periods_of(CANS, 50).with_columns(rate=pl.lit("old"), side=pl.lit("old"))
    assert_frame_equal(control_chart(periods), control_chart(periods_of(CANS, 50)))
    with pytest.raises(ContractError, match="'n'"):
        control_chart(periods.drop("n"))
    with pytest.raises(ContractError, match="'user'"):
        control_chart(periods, by=["user"])


def test_huge_counts_are_judged():
    million = 10**6
    history = [(20_000 * million + i % 2, million * million) for i in range(26)]
    assert judged(history, 20_000 * million, million * million)["side"] == "within"
    assert judged(history, 20_010 * million, million * million)["side"] == "above"
    assert judged(history, 19_990 * million, million * million)["side"] == "below"


def test_tails_of_large_counts_pass_smoothly_into_exact_ones(monkeypatch):
    rng = np.random.default_rng(2)
    size = 60
    n = rng.integers(40_000, 60_000, size).astype(float)
    mean = rng.uniform(0.2, 0.3, size)
    inflation = rng.uniform(1.0, 30.0, size)
    more = rng.random(size) < 0.5
    away = rng.uniform(2, 4, size) * np.where(more, 1, -1)
    count = np.round(n * mean + away * np.sqrt(n * mean * (1 - mean) * inflation))
    exact = control._tails(count, n, mean, inflation, more)
    monkeypatch.setattr(control, "_EXACT", 0)
    smooth = control._tails(count, n, mean, inflation, more)
    assert smooth == pytest.approx(exact, rel=0.08)


def test_the_moving_range_has_the_freedom_that_is_allowed_for():
    """Cryer & Ryan 1990: sigma from k moving ranges is as sure as from 0.605 k squares."""
    z = np.random.default_rng(4).normal(size=(40_000, 26))
    sigma = np.abs(np.diff(z, axis=1)).mean(1) / 1.128
    freedom = sigma.mean() ** 2 / sigma.var() / 2
    assert freedom == pytest.approx(0.605 * 25, rel=0.08)


def clumped(rng, senders, weeks, n, rate, clumping):
    """Weekly counts in control: a sender's true rate differs from week to week (Beta)."""
    a, b = rate * (1 - clumping) / clumping, (1 - rate) * (1 - clumping) / clumping
    return rng.binomial(n, rng.beta(a, b, (senders, weeks)))


@pytest.mark.parametrize(
    ("n", "rate", "clumping"), [(100, 0.02, 0.02), (100, 0.08, 0.05), (1000, 0.08, 0.02)]
)
def test_clumped_counts_in_control_are_rarely_called_out(n, rate, clumping):
    """docs/alerts.md: at most about 1 in 100 looks, where a p-chart calls out many more."""
    senders, weeks = 1500, 26
    drawn = clumped(np.random.default_rng(14), senders, weeks + 4, n, rate, clumping)
    counts = np.column_stack([drawn[:, :weeks], drawn[:, weeks:].sum(1)])
    sizes = np.tile([n] * weeks + [4 * n], senders)
    rows = pl.DataFrame(
        {
            "user": np.repeat(np.arange(senders), weeks + 1),
            "period": np.tile(np.arange(weeks + 1), senders),
            "count": counts.ravel(),
            "n": sizes,
        }
    )
    newest = control_chart(rows, by=["user"], baseline=pl.col("period") < weeks).filter(
        period=weeks
    )
    for side in ("above", "below"):
        assert (newest["side"] == side).mean() <= 0.01
    past = pl.col("period") < weeks
    p_chart = control_chart(rows, by=["user"], baseline=past, spread="binomial")
    alarms = p_chart.filter(pl.col("period") == weeks, pl.col("rate") > pl.col("high")).height
    assert alarms / senders > 0.05
