"""Published numbers for intervals, and the score's posterior against simulation."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint

from senderscore_nb.certainty import (
    beyond_limits,
    control_limits,
    curve_points,
    difference,
    score_certainty,
    wilson,
    wording,
)
from senderscore_nb.policy import BounceCurve, ReplyCurve, ScoringPolicy, load_policy


def interval(count: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    low, high = wilson(pl.lit(count), pl.lit(n), confidence=confidence)
    return pl.select(low.alias("low"), high.alias("high")).row(0)


@pytest.mark.parametrize(
    ("count", "n", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_intervals_of_newcombe_1998(count, n, low, high):
    """Newcombe 1998, Stat Med 17:857."""
    assert interval(count, n) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 10**9).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_agrees_with_statsmodels_and_holds_the_estimate(case):
    count, n = case
    low, high = interval(count, n)
    assert (low, high) == pytest.approx(proportion_confint(count, n, method="wilson"), abs=1e-9)
    assert 0 <= low <= count / n <= high <= 1


def test_an_unknown_or_empty_proportion_has_no_interval():
    assert interval(0, 0) == (None, None)


@pytest.mark.parametrize(
    ("a", "m", "b", "n", "low", "high"),
    [
        (56, 70, 48, 80, 0.0524, 0.3339),
        (9, 10, 3, 10, 0.1705, 0.8090),
        (6, 7, 2, 7, 0.0582, 0.8062),
        (5, 56, 0, 29, -0.0381, 0.1926),
        (0, 10, 0, 20, -0.1611, 0.2775),
        (10, 10, 0, 20, 0.6791, 1.0),
    ],
)
def test_differences_of_newcombe_1998(a, m, b, n, low, high):
    """Newcombe 1998, Stat Med 17:873, method 10."""
    now = (pl.lit(a / m), *(pl.lit(v) for v in interval(a, m)))
    before = (pl.lit(b / n), *(pl.lit(v) for v in interval(b, n)))
    lower, upper = difference(now, before)
    assert pl.select(lower.alias("l"), upper.alias("u")).row(0) == pytest.approx(
        (low, high), abs=5e-5
    )


def test_the_same_period_twice_has_no_difference():
    """Zou & Donner 2008: with correlation 1 and symmetric intervals nothing is left."""
    side = (pl.lit(0.1), pl.lit(0.05), pl.lit(0.15))
    lower, upper = difference(side, side, correlation=1.0)
    assert pl.select(lower.alias("l"), upper.alias("u")).row(0) == pytest.approx((0, 0), abs=1e-9)


def test_the_p_chart_of_montgomery():
    """Orange-juice cans, 30 samples of 50. Montgomery, Introduction to SQC."""
    low, high = control_limits(0.2313, pl.lit(50))
    assert pl.select(low.alias("l"), high.alias("h")).row(0) == pytest.approx(
        (0.0524, 0.4102), abs=5e-5
    )


STEPS = ScoringPolicy(
    name="steps",
    reply_points=ReplyCurve(interpolation="step", knots=((0, 0), (0.05, 30), (0.1, 50))),
    bounce_points=BounceCurve(interpolation="step", knots=((0, 50), (0.02, 40), (0.05, 0))),
    bands=[{"name": "A", "lower": 0}, {"name": "B", "lower": 70}, {"name": "C", "lower": 90}],
)
FLAT = ScoringPolicy(
    name="flat",
    reply_points=ReplyCurve(knots=((0, 10),)),
    bounce_points=BounceCurve(knots=((0.02, 20), (0.5, 5))),
    bands=[{"name": "only", "lower": 0}],
)
COUNTS = [
    (7, 97, 3, 100),
    (70, 970, 30, 1000),
    (0, 100, 0, 100),
    (100, 100, 0, 100),
    (9, 60, 60, 120),
]


@pytest.mark.parametrize("policy", [load_policy(), STEPS, FLAT], ids=lambda p: p.name)
@pytest.mark.parametrize("counts", COUNTS)
def test_the_posterior_equals_a_simulation_of_it(policy, counts):
    replied, reply_n, bounced, ended = counts
    draw = np.random.default_rng(20261115)
    size = 200_000
    frame = pl.DataFrame(
        {
            "r": draw.beta(replied + 0.5, reply_n - replied + 0.5, size),
            "b": draw.beta(bounced + 0.5, ended - bounced + 0.5, size),
        }
    ).select(s=policy.reply_points.points(pl.col("r")) + policy.bounce_points.points(pl.col("b")))
    shares = [
        (frame.select(policy.band(pl.col("s")) == name)).to_series().mean()
        for name in policy.band_names
    ]
    sure = score_certainty(np.array([counts]), policy)
    assert sure.bands[0] == pytest.approx(shares, abs=0.005)
    assert sure.bands.sum() == pytest.approx(1)
    if policy is not STEPS:  # a quantile of a step's few values jumps
        expected = frame["s"].quantile(0.025), frame["s"].quantile(0.975)
        assert (sure.low[0], sure.high[0]) == pytest.approx(expected, abs=0.6)
    else:
        below = (frame["s"] < sure.low[0] - 0.3).mean()
        above = (frame["s"] > sure.high[0] + 0.3).mean()
        assert below <= 0.026
        assert above <= 0.026


counts = st.integers(1, 3000).flatmap(
    lambda n: st.integers(0, n).flatmap(
        lambda b: st.integers(0, n - b).map(lambda r: (r, n - b, b, n))
    )
)


@given(st.lists(counts, min_size=1, max_size=8))
def test_certainty_is_a_probability_and_depends_on_nothing_but_the_counts(rows):
    policy = load_policy()
    together = score_certainty(np.array(rows), policy)
    assert together.bands.sum(1) == pytest.approx(np.ones(len(rows)))
    assert (together.bands >= 0).all()
    assert (together.low <= together.high).all()
    for i, row in enumerate(rows):
        alone = score_certainty(np.array([row]), policy)
        assert alone.bands[0] == pytest.approx(together.bands[i], abs=1e-12)
        assert alone.low[0] == together.low[i]


def test_more_enrollments_at_the_same_rates_are_more_certain():
    policy = load_policy()
    rows = [(8 * k, 98 * k, 2 * k, 100 * k) for k in (1, 4, 16, 64)]
    sure = score_certainty(np.array(rows), policy)
    width = sure.high - sure.low
    assert (np.diff(width) < 0).all()


def test_no_rows_have_no_certainty():
    sure = score_certainty(np.empty((0, 4), dtype=np.int64), load_policy())
    assert sure.low.shape == (0,)
    assert sure.bands.shape == (0, 4)


def test_intervals_cover_the_truth():
    """Over 1,000 simulated senders a 95 % interval of the score covers the true one in 93–97 %."""
    policy = load_policy()
    draw = np.random.default_rng(7)
    n = draw.integers(100, 3000, 1000)
    reply, bounce = draw.uniform(0.02, 0.14, 1000), draw.uniform(0.002, 0.06, 1000)
    bounced = draw.binomial(n, bounce)
    replied = draw.binomial(n - bounced, reply)
    rows = np.column_stack([replied, n - bounced, bounced, n])
    sure = score_certainty(rows, policy)
    truth = (
        pl.DataFrame({"r": reply, "b": bounce})
        .select(policy.reply_points.points(pl.col("r")) + policy.bounce_points.points(pl.col("b")))
        .to_series()
        .to_numpy()
    )
    covered = ((sure.low - 1e-9 <= truth) & (truth <= sure.high + 1e-9)).mean()
    assert 0.93 <= covered <= 0.97


def test_bands_are_worded_no_more_certain_than_they_are():
    names = ("Low", "Fair", "Good", "Excellent")
    assert wording(names, [0, 0.01, 0.96, 0.03]) == "Good"
    assert wording(names, [0, 0.15, 0.8, 0.05]) == "probably Good"
    assert wording(names, [0.0, 0.5, 0.5, 0.0]) == "Fair or Good"
    assert wording(names, [0.3, 0.4, 0.3, 0.0]) == "Low to Good"
    assert wording(["one"], [1.0]) == "one"


@pytest.mark.parametrize("n", [1, 2, 10, 50, 400])
def test_a_handful_of_enrollments_is_not_called_out(n):
    """Nobody with everyone's true rate is beyond the limits more often than 2 in 1,000."""
    counts = np.arange(n + 1)
    beyond = beyond_limits(counts, np.full(n + 1, n), 0.024)
    chance = scipy.stats.binom.pmf(counts[beyond], n, 0.024).sum()
    assert chance <= 0.002


@given(
    st.lists(st.one_of(st.floats(0, 1), st.just(math.nan)), min_size=1),
    st.sampled_from(("linear", "step")),
    st.sampled_from(("reply_points", "bounce_points")),
)
def test_points_of_an_array_equal_those_of_a_column(rates, interpolation, which):
    curve = getattr(load_policy(), which).model_copy(update={"interpolation": interpolation})
    rates += [rate for rate, _ in curve.knots]
    column = pl.DataFrame({"rate": rates}).select(curve.points(pl.col("rate")))
    expected = column.to_series().fill_null(math.nan).to_numpy()
    assert curve_points(curve, np.array(rates)) == pytest.approx(expected, abs=1e-9, nan_ok=True)
