"""Chance and bands: computed, and the same as counted out, simulated, and published."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from senderscore_nb.errors import ContractError, SenderScoreError
from senderscore_nb.experiment import (
    Cohort,
    consistency,
    flips_by_sender,
    livingston_lewis,
    reliability,
    smallest_n,
    stability,
    widened,
)
from senderscore_nb.experiment.livingston import _four_parameters
from senderscore_nb.experiment.repeats import band_chances
from senderscore_nb.experiment.stability import held_chances, held_flip_rate
from senderscore_nb.policy import CountingRules, ScoringPolicy
from tests.experiment_frames import POLICY, REPLY_BANDS, SENDERS, scored_of
from tests.test_policy import plain_points, policies

ENDED = POLICY.model_copy(update={"counting": CountingRules(reply_denominator="ended")})


def plain_chances(policy: ScoringPolicy, reply: float, bounce: float, n: int) -> list[float]:
    """The referee: every number of bounces and replies, one after the other."""
    chances = [0.0] * len(policy.bands)
    for k in range(n + 1):
        for j in range(n - k + 1):
            chance = math.comb(n, k) * bounce**k * (1 - bounce) ** (n - k)
            chance *= math.comb(n - k, j) * reply**j * (1 - reply) ** (n - k - j)
            total = n if policy.counting.reply_denominator == "ended" else max(1, n - k)
            points = plain_points(policy.reply_points, j / total)
            points += plain_points(policy.bounce_points, k / n)
            reached = [i for i, b in enumerate(policy.bands) if i == 0 or points >= b.lower - 1e-9]
            chances[max(reached)] += chance
    return chances


@settings(max_examples=25)
@given(policies(), st.integers(1, 9), st.floats(0, 1), st.floats(0, 1), st.booleans())
def test_chances_of_bands_are_those_that_are_counted_out(policy, n, reply, bounce, of_ended):
    rules = CountingRules(reply_denominator="ended" if of_ended else "delivered")
    policy = policy.model_copy(update={"counting": rules})
    got = band_chances(policy, np.array([reply]), np.array([bounce]), n)[:, 0, 0]
    assert got == pytest.approx(plain_chances(policy, reply, bounce, n), abs=1e-9)
    assert got.sum() == pytest.approx(1)


@pytest.mark.parametrize(("n", "least", "most"), [(100, 44, 71), (300, 20, 58), (1000, 1, 50)])
def test_the_flip_rates_of_reply_bands(n, least, most):
    """Reply cut-offs at 3, 7, 10 and 13 %: simulated flip rates for true rates of 2 to 14 %."""
    rates = [percent / 100 for percent in range(2, 15)]
    found = [
        100 * consistency(REPLY_BANDS, Cohort.at([rate], [0.0]), n).flip_rate for rate in rates
    ]
    assert round(min(found)) == least
    assert round(max(found)) == most


def test_identical_true_rates_flip_ever_less():
    """Livingston & Lewis 1995: the flip rate goes to 0 as n grows, unless a rate is on an edge."""
    off_the_edge = Cohort.at([0.085, 0.04, 0.16], [0.02, 0.04, 0.002])
    rates = [consistency(POLICY, off_the_edge, n).flip_rate for n in (100, 1000, 10_000, 100_000)]
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] < 1e-3
    on_it = Cohort.at([0.07], [0.0])
    assert consistency(REPLY_BANDS, on_it, 100_000).flip_rate == pytest.approx(0.5, abs=0.01)


def simulated(policy, replies, bounces, n, draw):
    """The band of one period for each pair of true rates, through the policy's expressions."""
    bounced = draw.binomial(n, bounces)
    replied = draw.binomial(n - bounced, replies)
    total = n if policy.counting.reply_denominator == "ended" else n - bounced
    frame = pl.DataFrame({"r": replied / total, "b": bounced / n})
    points = policy.reply_points.points(pl.col("r")) + policy.bounce_points.points(pl.col("b"))
    return frame.select(policy.band(points)).to_series().to_physical().to_numpy()


@pytest.mark.parametrize("policy", [POLICY, REPLY_BANDS, ENDED], ids=lambda p: p.name)
@pytest.mark.parametrize("n", [100, 700])
def test_a_parametric_bootstrap_agrees(policy, n):
    """Rates from the posterior, two periods from the rates, bands from the periods."""
    cohort = Cohort.of(scored_of(SENDERS, policy))
    draw = np.random.default_rng(n)
    times = 6000
    ended, replied, bounced = np.repeat(cohort.counts, times, axis=0).T
    replies = draw.beta(replied + 0.5, ended - bounced - replied + 0.5)
    bounces = draw.beta(bounced + 0.5, ended - bounced + 0.5)
    one, two = (simulated(policy, replies, bounces, n, draw) for _ in range(2))
    flips = (one != two).reshape(len(cohort), times).mean(axis=1)
    found = consistency(policy, cohort, n)
    error = 4 * math.sqrt(0.25 / (times * len(cohort)))
    assert found.flip_rate == pytest.approx(flips.mean(), abs=error)
    of_ended = policy.counting.reply_denominator == "ended"
    truth = pl.DataFrame({"r": replies * (1 - bounces) if of_ended else replies, "b": bounces})
    points = policy.reply_points.points(pl.col("r")) + policy.bounce_points.points(pl.col("b"))
    band = truth.select(policy.band(points)).to_series().to_physical().to_numpy()
    assert found.accuracy == pytest.approx((one == band).mean(), abs=error + 0.004)
    by_sender = flips_by_sender(policy, cohort, n=n)["flip_rate"].to_numpy()
    assert np.abs(by_sender - flips).max() < 4 * math.sqrt(0.25 / times)


def test_the_band_that_a_sender_leaves_is_the_present_one():
    scored = scored_of(SENDERS)
    rows = flips_by_sender(POLICY, Cohort.of(scored))
    assert rows["band"].to_list() == scored["band"].cast(pl.String).to_list()
    assert rows["n"].to_list() == scored["ended"].to_list()
    draw = np.random.default_rng(5)
    ended, replied, bounced = SENDERS[2]
    replies = draw.beta(replied + 0.5, ended - bounced - replied + 0.5, 20_000)
    bounces = draw.beta(bounced + 0.5, ended - bounced + 0.5, 20_000)
    later = simulated(POLICY, replies, bounces, ended, draw)
    now = POLICY.band_names.index(rows["band"][2])
    assert rows["leaves"][2] == pytest.approx((later != now).mean(), abs=0.015)


@given(st.lists(st.floats(0.01, 1), min_size=1, max_size=5), st.integers(1, 4))
def test_held_bands_are_the_markov_chain_that_they_are(weights, in_a_row):
    """The referee solves the chain: the band held, the candidate, and how often it was seen."""
    chances = np.array(weights) / sum(weights)
    bands = range(len(chances))
    runs = range(1, in_a_row) or range(1)
    states = [(d, d, 0) for d in bands]
    states += [(d, c, r) for d in bands for c in bands for r in runs if c != d and in_a_row > 1]
    place = {state: i for i, state in enumerate(states)}
    steps = np.zeros((len(states), len(states)))
    flips = np.zeros(len(states))
    for (held, candidate, run), i in place.items():
        for band in bands:
            seen = run + 1 if band == candidate and band != held else 1
            if band == held:
                after = (held, held, 0)
            elif seen >= in_a_row:
                after = (band, band, 0)
            else:
                after = (held, band, seen)
            steps[i, place[after]] += chances[band]
            flips[i] += chances[band] * (after[0] != held)
    equations = np.vstack([steps.T - np.eye(len(states)), np.ones(len(states))])
    known = np.append(np.zeros(len(states)), 1.0)
    stationary = np.linalg.lstsq(equations, known, rcond=None)[0]
    assert held_flip_rate(chances, in_a_row) == pytest.approx(stationary @ flips, abs=1e-7)
    held = [sum(stationary[i] for s, i in place.items() if s[0] == d) for d in bands]
    assert held_chances(chances, in_a_row) == pytest.approx(np.array(held), abs=1e-7)


def test_a_certain_band_never_flips_and_a_sure_one_is_held():
    assert held_flip_rate(np.array([1.0, 0.0]), 3) == 0
    assert held_flip_rate(np.array([1.0]), 1) == 0
    assert held_chances(np.array([0.9, 0.1]), 2)[0] > 0.9


def test_waiting_and_wider_bands_flip_less():
    cohort = Cohort.of(scored_of(SENDERS))
    at_once, waiting = (stability(POLICY, cohort, sizes=[300], in_a_row=m) for m in (1, 2))
    assert waiting["flip_rate"][0] < 0.5 * at_once["flip_rate"][0]
    assert waiting["accuracy"][0] > at_once["accuracy"][0]
    assert waiting["kappa"][0] is None
    rows = widened(POLICY, cohort, n=300)
    assert rows["bands"].to_list() == [4, 3, 2]
    assert rows["flip_rate"].to_list() == sorted(rows["flip_rate"], reverse=True)
    assert rows["removed"][0] is None
    bands = [b for b in POLICY.bands if b.name != rows["removed"][1]]
    without = POLICY.model_copy(update={"bands": tuple(bands)})
    assert rows["flip_rate"][1] == pytest.approx(consistency(without, cohort, 300).flip_rate)


def test_stability_has_a_row_for_each_policy_and_size():
    rows = stability([POLICY, ENDED], Cohort.of(scored_of(SENDERS)), sizes=[100, 400])
    assert rows.height == 4
    assert rows["policy"].n_unique() == 2
    assert (rows["flip_rate"] + rows["consistency"]).to_list() == pytest.approx([1.0] * 4)
    assert (rows["kappa"] < rows["consistency"]).all()


@pytest.mark.parametrize("asked", [0.15, 0.3])
def test_the_smallest_n_is_enough_and_one_less_is_not(asked):
    cohort = Cohort.of(scored_of(SENDERS))
    found = smallest_n(POLICY, cohort, flip_rate=asked, most=3000)
    assert found is not None
    assert consistency(POLICY, cohort, found).flip_rate < asked
    assert consistency(POLICY, cohort, found - 1).flip_rate >= asked
    assert smallest_n(POLICY, cohort, flip_rate=asked, in_a_row=2, most=3000) < found


def test_where_no_n_is_enough_none_is_given():
    on_the_edge = Cohort.at([0.07], [0.0])
    assert smallest_n(REPLY_BANDS, on_the_edge, flip_rate=0.2, most=2000) is None
    certain = Cohort.at([0.5], [0.0])
    assert smallest_n(REPLY_BANDS, certain, flip_rate=0.99, most=500) == 1


@pytest.mark.parametrize("n", [1, 30, 5000])
def test_weights_have_the_mean_and_spread_of_the_posterior(n):
    cohort = Cohort.of(scored_of([(400, 0, 0), (1000, 80, 25), (100, 95, 5)]))
    weights = cohort.weights(n)
    ended, replied, bounced = cohort.counts.T
    exact = stats.beta(replied + 0.5, ended - bounced - replied + 0.5)
    assert weights.of_replies @ weights.replies == pytest.approx(exact.mean(), abs=2e-6)
    spread = np.sqrt(weights.of_replies @ weights.replies**2 - exact.mean() ** 2)
    assert (spread >= exact.std() - 1e-4).all()
    assert weights.together.sum() == pytest.approx(1)


def test_one_band_cannot_flip():
    one = POLICY.model_copy(update={"bands": POLICY.bands[:1]})
    found = consistency(one, Cohort.of(scored_of(SENDERS)), 100)
    assert (found.flip_rate, found.kappa, found.accuracy) == (0, None, 1)


def test_what_cannot_be_asked_is_said():
    cohort = Cohort.of(scored_of(SENDERS))
    for call, says in (
        (lambda: stability(POLICY, cohort, sizes=[0]), "1 or more"),
        (lambda: stability(POLICY, cohort, in_a_row=0), "1 or more"),
        (lambda: smallest_n(POLICY, cohort, flip_rate=1.0), "between 0 and 1"),
        (lambda: Cohort.at([1.2], [0.0]), "fractions"),
        (lambda: Cohort.at([], []), "one pair"),
        (lambda: flips_by_sender(POLICY, Cohort.at([0.1], [0.0])), "how many ended"),
        (lambda: Cohort.of(scored_of([(20, 1, 0)])), "Nobody has a score"),
    ):
        with pytest.raises(SenderScoreError, match=says):
            call()
    with pytest.raises(ContractError, match="status"):
        Cohort.of(pl.DataFrame({"ended": [1], "replied": [0], "bounced": [0]}))


def beta_binomial_scores(a: float, b: float, items: int, size: int) -> np.ndarray:
    """Scores of a population as even as whole numbers of people allow."""
    counts = np.round(stats.betabinom.pmf(np.arange(items + 1), items, a, b) * size).astype(int)
    return np.repeat(np.arange(items + 1), counts).astype(float)


@pytest.mark.parametrize(("a", "b", "items"), [(6.0, 4.0, 40), (2.0, 5.0, 25)])
def test_livingston_and_lewis_on_scores_that_are_counts(a, b, items):
    """With Kuder & Richardson's formula 21 the effective length is the number of items.

    Livingston & Lewis 1995 then is Hanson & Brennan's beta-binomial model, which is computed here
    from its two-parameter truth.
    """
    scores = beta_binomial_scores(a, b, items, 2_000_000)
    mean, variance = scores.mean(), scores.var()
    kr21 = items / (items - 1) * (1 - mean * (items - mean) / (items * variance))
    edges = [0.4 * items, 0.7 * items]
    found = livingston_lewis(scores, kr21, edges, most=items)
    assert found.length == pytest.approx(items, abs=1e-6)
    truth = stats.beta(a, b).ppf((np.arange(20_000) + 0.5) / 20_000)
    above = [
        np.ones_like(truth),
        *(stats.binom.sf(math.ceil(e) - 1, items, truth) for e in edges),
        0 * truth,
    ]
    chances = -np.diff(np.array(above), axis=0)
    assert found.consistency == pytest.approx((chances**2).sum(axis=0).mean(), abs=2e-3)
    place = np.searchsorted(np.array(edges) / items, truth, side="right")
    right = chances[place, np.arange(len(truth))].mean()
    assert found.accuracy == pytest.approx(right, abs=2e-3)
    assert found.kappa < found.consistency < found.accuracy


def test_livingston_and_lewis_refuse_what_is_no_sample():
    for scores, r, says in (
        ([50.0, 60.0], 1.0, "between 0 and 1"),
        ([50.0, 50.0], 0.8, "different"),
        ([50.0, 150.0], 0.8, "scale"),
        ([50.0, float("nan")], 0.8, "scale"),
    ):
        with pytest.raises(SenderScoreError, match=says):
            livingston_lewis(scores, r, [70.0])


def test_livingston_and_lewis_agree_with_what_is_computed_from_counts():
    """Two ways to the same figure, one of which knows only scores and their reliability."""
    draw = np.random.default_rng(3)
    replies, bounces = draw.beta(8, 90, 120), draw.beta(3, 110, 120)
    known = Cohort.at(replies.tolist(), bounces.tolist())
    n = 400
    bounced = draw.binomial(n, bounces, (400, 120))
    replied = draw.binomial(n - bounced, replies)
    curves = (POLICY.reply_points, replied / (n - bounced)), (POLICY.bounce_points, bounced / n)
    scores = sum(np.interp(rates, *np.array(curve.knots).T) for curve, rates in curves)
    share = reliability(POLICY, known, n)
    assert share == pytest.approx(scores.mean(axis=0).var() / scores.var(), abs=0.01)
    found = livingston_lewis(scores.ravel(), share, [40, 70, 90])
    exact = consistency(POLICY, known, n)
    assert found.consistency == pytest.approx(exact.consistency, abs=0.05)
    assert found.accuracy == pytest.approx(exact.accuracy, abs=0.05)


def test_a_four_parameter_truth_is_recovered_from_its_moments():
    a, b, low, high = 3.0, 5.0, 0.2, 0.9
    truth = stats.beta(a, b, loc=low, scale=high - low)
    got = _four_parameters([truth.moment(k) for k in (1, 2, 3, 4)])
    assert got == pytest.approx((a, b, low, high), rel=1e-6)
    assert _four_parameters([0.5, 0.25, 0.125, 0.0625]) is None
