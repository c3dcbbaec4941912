"""Shrinkage: Efron and Morris's batters, coverage, a slow referee, and the edges."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import betaincinv, betaln

from senderscore_nb.drivers import james_stein, shrinkage
from senderscore_nb.drivers.borrow import _expit, _grid, borrow
from senderscore_nb.drivers.outlook_words import shrinkage_words
from senderscore_nb.errors import ContractError
from senderscore_nb.policy import load_policy
from senderscore_nb.score import score
from tests.conftest import MONDAY, tally_rows
from tests.hostile import NAMES

HITS = (18, 17, 16, 15, 14, 14, 13, 12, 11, 11, 10, 10, 10, 10, 10, 9, 8, 7)
SEASON = np.array(
    (
        *(0.346, 0.298, 0.276, 0.222, 0.273, 0.270, 0.263, 0.210, 0.269),
        *(0.230, 0.264, 0.256, 0.303, 0.264, 0.226, 0.286, 0.316, 0.200),
    )
)
POLICY = load_policy()


def senders(*rows):
    """Tallies from (user, ended, replied, bounced)."""
    return tally_rows(*((user, "1", MONDAY, *counts) for user, *counts in rows))


def roster(**teams):
    return pl.DataFrame(
        {"user_id": list(teams), "team": list(teams.values()), "paid_seat": [True] * len(teams)},
        schema={"user_id": pl.String, "team": pl.String, "paid_seat": pl.Boolean},
    )


def one_team(size):
    return np.zeros(size, dtype=np.int64)


def test_the_eighteen_batters():
    """Efron & Morris 1975 and 1977: mean .265, factor .212, squared error .0755 to .0214.

    The season's averages are those of the paper's table, where the sixteenth is .286; copies
    computed from the season's hits have .285.
    """
    stein = james_stein(HITS, 45)
    raw = np.array(HITS) / 45
    assert stein.mean == pytest.approx(0.265, abs=5e-4)
    assert stein.factor == pytest.approx(0.212, abs=5e-4)
    assert ((raw - SEASON) ** 2).sum() == pytest.approx(0.0755, abs=5e-5)
    assert ((stein.estimates - SEASON) ** 2).sum() == pytest.approx(0.0214, abs=5e-5)


def test_the_batters_by_the_beta_binomial_are_the_batters_by_james_stein():
    found = borrow(np.array(HITS, dtype=float), np.full(18, 45.0), one_team(18))
    stein = james_stein(HITS, 45)
    assert found.weight == pytest.approx(np.full(18, stein.factor), abs=0.04)
    assert found.rate == pytest.approx(stein.estimates, abs=0.008)
    assert ((found.rate - SEASON) ** 2).sum() < 0.025 < 0.0755 / 3


def test_james_stein_of_equal_or_few_proportions():
    equal = james_stein([5, 5, 5, 5], 50)
    assert (equal.factor, equal.estimates.tolist()) == (0.0, [0.1] * 4)
    assert james_stein([10, 10, 11, 10, 10], 100).factor == 0
    for wrong in (([1, 2, 3], 10), ([1, 2, 3, 4], 0), ([], 5)):
        with pytest.raises(ContractError, match="at least 4"):
            james_stein(*wrong)


rates = st.lists(
    st.integers(0, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))),
    min_size=1,
    max_size=8,
)


@given(rates, st.randoms(use_true_random=False))
@settings(max_examples=40)
def test_laws_of_borrowing(drawn, random):
    count, n = (np.array(column, dtype=float) for column in zip(*drawn, strict=True))
    team = np.array([random.randrange(2) for _ in drawn])
    team = np.unique(team, return_inverse=True)[1]
    found = borrow(count, n, team)
    raw = count / np.maximum(n, 1)
    assert found.rate == pytest.approx(
        found.weight * raw + (1 - found.weight) * found.towards, abs=1e-9
    )
    assert ((found.weight >= 0) & (found.weight < 1)).all()
    assert ((found.rate > 0) & (found.rate < 1)).all()
    assert (found.weight[n == 0] < 1e-9).all()
    low, high = np.minimum(raw, found.towards), np.maximum(raw, found.towards)
    assert ((found.rate >= low - 1e-9) & (found.rate <= high + 1e-9)).all()
    for place in range(len(n)):  # the larger sample of a team keeps more of its own
        same = team == team[place]
        assert (found.weight[same & (n > n[place])] >= found.weight[place] - 1e-9).all()
    places = list(range(len(n)))
    random.shuffle(places)
    again = borrow(count[places], n[places], team[places])
    assert again.rate == pytest.approx(found.rate[places], abs=1e-9)


def test_given_size_and_centre_it_is_bayes_by_hand():
    """One team: the posterior over (size, rate) summed up without any of the shortcuts."""
    count, n = np.array([4.0, 9.0, 30.0]), np.array([60.0, 80.0, 250.0])
    team = one_team(3)
    grid = _grid(count, n, team)
    total, rate, square = 0.0, np.zeros(3), np.zeros(3)
    for size in grid.size:
        for spread in grid.spread:
            for centre in grid.centre:
                prior = np.exp(-0.5 * ((grid.logit - centre) / spread) ** 2)
                prior /= prior.sum()
                hyper = np.sqrt(_expit(centre) * (1 - _expit(centre)))
                mean = _expit(grid.logit)
                a, b = mean * size, (1 - mean) * size
                pairs = zip(count, n, strict=True)
                log = sum(betaln(x + a, m - x + b) - betaln(a, b) for x, m in pairs)
                seen = np.exp(log + 60)
                weight = hyper * prior * seen
                total += weight.sum()
                for i in range(3):
                    one = (count[i] + a) / (n[i] + size)
                    rate[i] += (weight * one).sum()
                    square[i] += (weight * one * (one + (1 - one) / (n[i] + size + 1))).sum()
    found = borrow(count, n, team)
    assert found.rate == pytest.approx(rate / total, rel=1e-6)
    assert found.deviation**2 == pytest.approx(square / total - (rate / total) ** 2, rel=1e-4)


@pytest.mark.parametrize(
    ("people", "teams", "apart", "n"), [(16, 3, 0.4, 60), (30, 5, 0.3, 150), (12, 1, 0.5, 100)]
)
def test_shrunk_intervals_cover_and_shrunk_rates_are_nearer(people, teams, apart, n):
    rng = np.random.default_rng([people, teams])
    covered, near, raw = [], 0.0, 0.0
    for _ in range(40):
        team = np.arange(people) % teams
        odds = np.log(0.08 / 0.92) + rng.normal(0, 0.25, teams)[team] + rng.normal(0, apart, people)
        truth = 1 / (1 + np.exp(-odds))
        size = rng.integers(n // 2, 3 * n // 2, people)
        count = rng.binomial(size, truth)
        found = borrow(count.astype(float), size.astype(float), team)
        a, b = found.beta()
        low, high = betaincinv(a, b, 0.025), betaincinv(a, b, 0.975)
        covered += ((low <= truth) & (truth <= high)).tolist()
        near += ((found.rate - truth) ** 2).sum()
        raw += ((count / size - truth) ** 2).sum()
    assert 0.92 <= np.mean(covered) <= 0.98
    assert near < 0.9 * raw


def test_teams_draw_towards_themselves_as_far_as_they_differ():
    apart = borrow(
        np.array([10.0, 12, 9, 50, 55, 48, 3]), np.array([200.0] * 6 + [20.0]),
        np.array([0, 0, 0, 1, 1, 1, 1]),
    )  # fmt: skip
    assert apart.towards[0] < 0.08 < 0.2 < apart.towards[6]
    alike = borrow(
        np.array([20.0, 22, 19, 20, 21, 18]), np.full(6, 200.0), np.array([0, 0, 0, 1, 1, 1])
    )
    assert alike.team == pytest.approx(np.full(6, 0.1), abs=0.01)


def test_the_shrunk_stand_beside_the_raw_and_never_instead():
    rows = senders(("a", 120, 20, 2), ("b", 900, 70, 20), ("c", 800, 60, 22), ("d", 40, 8, 0))
    found = shrinkage(rows, POLICY)
    raw = score(rows, POLICY, by="user")
    for name in ("reply_rate", "bounce_rate", "score", "score_low", "band", "verdict", "status"):
        assert found[name].to_list() == raw[name].to_list()
    a, d = found.row(0, named=True), found.row(3, named=True)
    assert d["status"] == "collecting"
    assert d["score"] is None
    assert d["score_shrunk"] is not None
    assert a["reply_rate_shrunk"] < a["reply_rate"]
    assert a["score_shrunk_low"] <= a["score_shrunk"] <= a["score_shrunk_high"]
    expected = (
        POLICY.reply_points.points(pl.lit(a["reply_rate_shrunk"]))
        + POLICY.bounce_points.points(pl.lit(a["bounce_rate_shrunk"]))
    )  # fmt: skip
    assert a["score_shrunk"] == pytest.approx(pl.select(expected).item())
    words = shrinkage_words(found)
    assert "beside the raw ones" in words


def test_one_sender_nobody_and_no_events():
    one = shrinkage(senders(("a", 200, 0, 0)), POLICY).row(0, named=True)
    assert 0 < one["reply_rate_shrunk"] < 0.02
    assert one["reply_rate_shrunk_low"] <= one["reply_rate_shrunk"] <= one["reply_rate_shrunk_high"]
    none = shrinkage(senders(), POLICY)
    assert none.is_empty()
    assert none.columns == shrinkage(senders(("a", 200, 0, 0)), POLICY).columns
    assert shrinkage_words(none) == "Nobody has rates to shrink."
    every = shrinkage(senders(("a", 150, 150, 0), ("b", 100, 100, 0)), POLICY)
    assert (every["reply_rate_shrunk"] > 0.95).all()


def test_equal_senders_stay_where_they_are():
    found = shrinkage(senders(*((str(i), 200, 16, 4) for i in range(6))), POLICY)
    assert found["reply_rate_shrunk"].to_numpy() == pytest.approx(np.full(6, 16 / 196), rel=0.02)
    assert found["reply_rate_weight"].max() < 0.4


def test_a_team_of_one_no_team_and_no_seat():
    people = roster(a="North", b="North", c="Alone").with_columns(
        paid_seat=pl.col("user_id") != "b"
    )
    rows = senders(("a", 300, 20, 5), ("b", 300, 30, 5), ("c", 100, 2, 9), ("d", 200, 10, 4))
    found = shrinkage(rows, POLICY, roster=people)
    assert found["team"].to_list() == ["North", "North", "Alone", "(no team)"]
    assert found.filter(user_id="b").select("score", "score_shrunk").row(0) == (None, None)
    assert found.filter(user_id="b")["reply_rate_shrunk"][0] is not None
    assert found.filter(user_id="c")["score_shrunk"][0] is not None


def test_what_is_not_known_is_not_invented():
    found = shrinkage(senders(("a", 300, 20, None), ("b", 300, None, 3)), POLICY)
    assert found["reply_rate_shrunk"].to_list() == [None, None]  # delivered is not known either
    assert found["bounce_rate_shrunk"].is_null().to_list() == [True, False]
    assert found["score_shrunk"].null_count() == 2
    undelivered = shrinkage(senders(("a", 100, 0, 100), ("b", 300, 30, 3)), POLICY)
    assert undelivered["reply_rate"][0] is None
    assert undelivered["reply_rate_shrunk"][0] is not None


def test_huge_counts_and_hostile_names():
    big = 10**9
    found = shrinkage(senders(("a", big, big // 10, big // 50), ("b", 100, 30, 0)), POLICY)
    assert found["reply_rate_shrunk"][0] == pytest.approx(0.1 / 0.98, rel=1e-3)
    named = shrinkage(senders(*((name, 100, 5, 1) for name in NAMES)), POLICY)
    assert set(named["user_id"]) == set(NAMES)
    with pytest.raises(ContractError, match="'ended'"):
        shrinkage(pl.DataFrame({"user_id": ["a"]}), POLICY)
