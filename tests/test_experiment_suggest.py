"""Suggested cut-offs: the best there are, by going through all of them."""

from __future__ import annotations

import itertools

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from senderscore_nb.errors import SenderScoreError
from senderscore_nb.experiment import (
    consistency,
    suggest_costs,
    suggest_different,
    suggest_natural_breaks,
    suggest_quantiles,
    suggest_shares,
    suggest_stable,
    suggestion_table,
    suggestions,
)
from senderscore_nb.experiment.suggest_different import pairwise_higher
from senderscore_nb.experiment.suggestion import Scores, best_partition, edge_between, with_edges
from senderscore_nb.policy import CountingRules, parse_policy
from senderscore_nb.score import score
from tests.experiment_frames import POLICY, SENDERS, scored_of, tallies_of

SCORED = scored_of(SENDERS)
RATES = ((0.02, 0.06), (0.05, 0.03), (0.08, 0.02), (0.16, 0.004))
MORE = scored_of([(n, round(n * r), round(n * b)) for n in (150, 600, 2500) for r, b in RATES])

counts = st.tuples(st.integers(100, 3000), st.floats(0.0, 0.3), st.floats(0.0, 0.12)).map(
    lambda c: (c[0], int((c[0] - int(c[0] * c[2])) * c[1]), int(c[0] * c[2]))
)


@given(st.floats(0, 100), st.floats(1e-4, 100))
def test_an_edge_parts_what_it_is_between(low, width):
    edge = edge_between(low, low + width)
    assert low < edge <= low + width
    assert edge_between(0.0, 100.0) == 50


@given(
    st.lists(st.floats(-5, 5), min_size=1, max_size=7).flatmap(
        lambda v: st.tuples(st.just(v), st.integers(1, len(v)))
    )
)
def test_the_best_division_is_the_best_of_all(drawn):
    values, count = drawn
    rng = np.random.default_rng(len(values))
    gains = rng.normal(size=(len(values) + 1, len(values) + 1)) + np.sum(values)
    found = best_partition(len(values), count, lambda j: gains[:j, j])
    assert found is not None
    every = [
        sum(gains[a, b] for a, b in itertools.pairwise((0, *ends, len(values))))
        for ends in itertools.combinations(range(1, len(values)), count - 1)
    ]
    assert found[1] == pytest.approx(max(every))
    ends = (0, *found[0], len(values))
    assert sum(gains[a, b] for a, b in itertools.pairwise(ends)) == pytest.approx(max(every))


def test_an_impossible_division_is_none():
    assert best_partition(2, 2, lambda j: np.full(j, -np.inf)) is None


@settings(max_examples=25)
@given(st.lists(counts, min_size=4, max_size=8), st.integers(2, 4))
def test_natural_breaks_have_the_least_squares_of_all_divisions(senders, bands):
    scored = scored_of(senders)
    values = np.sort(scored["score"].to_numpy())
    if len(np.unique(values.round(9))) < len(values) or np.diff(values).min() < 1e-6:
        return
    found = suggest_natural_breaks(POLICY, scored, bands=bands)
    edges = [band.lower for band in found.policy.bands[1:]]

    def squares(cuts) -> float:
        parts = np.split(values, cuts)
        return sum(((part - part.mean()) ** 2).sum() for part in parts)

    best = min(map(squares, itertools.combinations(range(1, len(values)), bands - 1)))
    got = squares(np.searchsorted(values, np.array(edges) - 1e-9))
    assert got == pytest.approx(best, abs=1e-7)


def shares_under(policy, scored) -> list[int]:
    again = scored.select(band=policy.band(pl.col("score")))["band"].to_physical()
    return np.bincount(again.to_numpy(), minlength=len(policy.bands)).tolist()


def test_target_shares_are_met_where_scores_allow():
    found = suggest_shares(
        POLICY, SCORED, {"Low": 0.25, "Fair": 0.25, "Good": 0.375, "Excellent": 0.125}
    )
    assert shares_under(found.policy, SCORED) == [2, 2, 3, 1]
    even = suggest_quantiles(POLICY, SCORED, bands=2)
    assert shares_under(even.policy, SCORED) == [4, 4]
    assert even.policy.band_names == ("Grade B", "Grade A")
    assert "50 %, 50 %" in even.reason


@given(st.lists(counts, min_size=3, max_size=10))
def test_shares_are_as_near_as_any_cuts_come(senders):
    scored = scored_of(senders)
    scores = Scores.of(POLICY, scored)
    if len(scores.gaps) < 2:
        return
    found = suggest_shares(POLICY, scored, [0.2, 0.5, 0.3])
    got = np.cumsum(shares_under(found.policy, scored))[:-1]
    targets = np.array([0.2, 0.7]) * len(senders)
    best = min(
        np.abs(np.array(cuts) - targets).sum() for cuts in itertools.combinations(scores.gaps, 2)
    )
    assert np.abs(got - targets).sum() == pytest.approx(best)


@pytest.mark.parametrize("bands", [2, 3, 4])
def test_nothing_that_is_allowed_is_more_stable(bands):
    found = suggest_stable(POLICY, MORE, bands=bands, least_share=0.15, n=300)
    cohort = Scores.of(POLICY, MORE).cohort
    weights = cohort.weights(300)
    best = consistency(found.policy, cohort, 300).flip_rate
    assert f"in {100 * best:.0f} % of the cases" in found.reason
    draw = np.random.default_rng(bands)
    allowed = 0
    from senderscore_nb.experiment.repeats import band_chances

    for _ in range(60):
        edges = np.sort(draw.choice(np.arange(1, 100), bands - 1, replace=False)).tolist()
        other = with_edges(POLICY, [float(e) for e in edges], word="x", reason="", senders=1)
        chances = band_chances(other, weights.replies, weights.bounces, 300)
        if (chances * weights.together).sum(axis=(1, 2)).min() >= 0.15:
            allowed += 1
            assert consistency(other, cohort, 300).flip_rate >= best - 1e-9
    assert allowed or bands == 4


def test_no_bands_hold_more_than_there_is():
    with pytest.raises(SenderScoreError, match="fewer bands"):
        suggest_stable(POLICY, SCORED, bands=6, least_share=0.3)


@pytest.mark.parametrize(("false_alarm", "miss"), [(1, 1), (1, 6), (6, 1), (0.2, 9)])
def test_no_cut_costs_less(false_alarm, miss):
    found = suggest_costs(POLICY, MORE, false_alarm=false_alarm, miss=miss)
    scored = MORE.sort("score")
    for place, band in enumerate(found.policy.bands[1:], start=1):
        below = scored.select(pl.sum_horizontal(f"p_{b.slug}" for b in POLICY.bands[:place]))
        chance = below.to_series().to_numpy()
        put_below = scored["score"].to_numpy() < band.lower - 1e-9

        def cost(flags, chance=chance) -> float:
            return float((np.where(flags, (1 - chance) * false_alarm, chance * miss)).sum())

        cuts = [0, *Scores.of(POLICY, MORE).gaps, len(chance)]
        every = [np.arange(len(chance)) < cut for cut in cuts]
        assert cost(put_below) == pytest.approx(min(map(cost, every)), abs=1e-9)


def test_dearer_misses_raise_edges_and_dearer_alarms_lower_them():
    lowers = [
        [b.lower for b in suggest_costs(POLICY, MORE, miss=miss).policy.bands]
        for miss in (0.1, 1, 10)
    ]
    assert lowers[0] <= lowers[1] <= lowers[2]
    assert all(a <= b for a, b in zip(lowers[0], lowers[2], strict=True))
    assert lowers[0] != lowers[2]


def test_pairwise_probabilities_are_those_of_drawn_scores():
    three = [(150, 12, 3), (400, 30, 9), (900, 81, 12)]
    draw = np.random.default_rng(2)
    for policy in (
        POLICY,
        POLICY.model_copy(update={"counting": CountingRules(reply_denominator="ended")}),
    ):
        scored = []
        for ended, replied, bounced in three:
            total = ended if policy.counting.reply_denominator == "ended" else ended - bounced
            rates = (
                draw.beta(replied + 0.5, total - replied + 0.5, 40_000),
                draw.beta(bounced + 0.5, ended - bounced + 0.5, 40_000),
            )
            both = zip((policy.reply_points, policy.bounce_points), rates, strict=True)
            scored.append(sum(np.interp(r, *np.array(c.knots).T) for c, r in both))
        got = pairwise_higher(policy, np.array(three, dtype=float))
        for i, j in itertools.combinations(range(3), 2):
            assert got[i, j] == pytest.approx((scored[i] > scored[j]).mean(), abs=0.012)
        assert got + got.T == pytest.approx(np.ones((3, 3)), abs=1e-9)


def test_two_clusters_are_two_grades():
    apart = [(2000, 60 + i, 100) for i in range(4)] + [(2000, 240 + i, 10) for i in range(4)]
    found = suggest_different(POLICY, scored_of(apart), confidence=0.95)
    assert found.policy.band_names == ("Grade B", "Grade A")
    assert shares_under(found.policy, scored_of(apart)) == [4, 4]
    assert "2 grades" in found.reason


@settings(max_examples=25)
@given(st.lists(counts, min_size=2, max_size=6), st.sampled_from([0.6, 0.9]))
def test_grades_by_real_differences_gain_most_of_all(senders, confidence):
    scored = scored_of(senders)
    scores = Scores.of(POLICY, scored)
    gain = pairwise_higher(POLICY, scores.cohort.counts) - confidence

    def total(cuts) -> float:
        grade = np.searchsorted(cuts, np.arange(len(senders)), side="right")
        return float(gain[grade[:, None] > grade[None, :]].sum())

    every = [
        total(cuts)
        for k in range(len(scores.gaps) + 1)
        for cuts in itertools.combinations(scores.gaps, k)
        if k <= 5
    ]
    best = max(every)
    try:
        found = suggest_different(POLICY, scored, confidence=confidence)
    except SenderScoreError:
        assert best <= 1e-8
        return
    edges = np.array([b.lower for b in found.policy.bands[1:]])
    got = total(np.searchsorted(scores.values, edges - 1e-9))
    assert got == pytest.approx(best, abs=1e-6)


def test_every_suggestion_is_a_policy_with_its_reason_and_its_costs():
    found = suggestions(POLICY, MORE)
    assert found[0].purpose == "at present"
    assert len(found) == 6
    tallies = tallies_of(*[(r["ended"], r["replied"], r["bounced"]) for r in MORE.to_dicts()])
    for one in found[1:]:
        assert parse_policy(one.policy.to_toml()) == one.policy
        assert one.policy.source.startswith("Suggested from 12 senders")
        assert one.reason in one.policy.source
        shown = score(tallies, one.policy, by="user")["band"].to_physical().to_list()
        held = np.bincount(shown, minlength=len(one.policy.bands))
        assert one.costs.largest_share == pytest.approx(held.max() / 12)
        assert 0 < one.costs.spread <= 1
        exact = consistency(one.policy, Scores.of(POLICY, MORE).cohort, one.costs.n)
        assert one.costs.flip_rate == pytest.approx(exact.flip_rate)
        if one.costs.moved == 0:
            assert one.costs.kappa == pytest.approx(1)
    table = suggestion_table(found)
    assert table["edges"][0] == "Fair 40, Good 70, Excellent 90"
    assert (table["reason"].str.len_chars() > 10).all()


def test_who_serves_no_purpose_is_said():
    same = scored_of([(500, 40, 10)] * 5)
    for call, says in (
        (lambda: suggest_quantiles(POLICY, same), "1 different score"),
        (lambda: suggest_natural_breaks(POLICY, same), "1 different score"),
        (lambda: suggest_different(POLICY, same), "lower confidence"),
        (lambda: suggest_shares(POLICY, SCORED, [0.5, 0.6]), "add up to 1"),
        (lambda: suggest_shares(POLICY, SCORED, {"Goood": 1.0}), "Did you mean 'Good'"),
        (lambda: suggest_quantiles(POLICY, SCORED, bands=13), "2 to 12"),
        (lambda: suggest_costs(POLICY, SCORED, miss=0), "above 0"),
        (lambda: suggest_different(POLICY, SCORED, confidence=1.0), "below 1"),
        (lambda: suggest_quantiles(POLICY, scored_of(SENDERS[:1])), "two at least"),
        (lambda: suggest_stable(POLICY, SCORED, n=0), "from 1 on"),
    ):
        with pytest.raises(SenderScoreError, match=says):
            call()
    served = [one.purpose for one in suggestions(POLICY, same)]
    assert served == ["at present", "most stable", "least cost of mistakes"]
