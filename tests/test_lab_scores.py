"""What the lab shows of a draft is what `score` and plain arithmetic say."""

from __future__ import annotations

from collections import Counter

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from senderscore_nb.certainty import score_certainty
from senderscore_nb.errors import SelectionError
from senderscore_nb.explorer import Data
from senderscore_nb.explorer.index import ENDED
from senderscore_nb.lab import Model, Trial
from senderscore_nb.lab.moves import Moves, same_bands
from senderscore_nb.lab.posterior import Posterior, RateTable, flip_chance, points_at, rate_of
from senderscore_nb.lab.window import Window
from senderscore_nb.policy import ScoringPolicy, load_policy
from senderscore_nb.score import score
from senderscore_nb.selection import Selection
from tests.explorer_data import ROSTER, data_of, full, tallies
from tests.lab_drafts import drafts

TINY = pl.Series([0.0, 1e-12, 0.001, 0.02, 0.05, 0.0999, 0.3, 0.9, 1.0])


def referee(counts: list[int], policy: ScoringPolicy) -> np.ndarray:
    """The bands' probabilities of one sender from 20,000 quantiles of its bounce rate."""
    from scipy.stats import beta

    replied, reply_n, bounced, bounce_n = counts
    levels = (np.arange(20_000) + 0.5) / 20_000
    bounces = beta(bounced + 0.5, bounce_n - bounced + 0.5).ppf(levels)
    rest = points_at(policy.bounce_points, bounces)
    replies = beta(replied + 0.5, reply_n - replied + 0.5)
    below = [
        replies.cdf(rate_of(policy.reply_points, band.lower - 1e-9 - rest)).mean()
        for band in policy.bands[1:]
    ]
    return np.diff([0.0, *below, 1.0])


def stepped(policy: ScoringPolicy) -> ScoringPolicy:
    curves = {
        part: getattr(policy, part).model_copy(update={"interpolation": "step"})
        for part in ("reply_points", "bounce_points")
    }
    return policy.model_copy(update=curves)


@pytest.mark.parametrize("policy", [load_policy(), stepped(load_policy())], ids=["linear", "step"])
@pytest.mark.parametrize(("least", "most"), [(1, 99), (100, 3_000), (3_000, 12_000)])
def test_probabilities_of_bands_are_those_of_the_referee(policy, least, most):
    rng = np.random.default_rng(least)
    n = rng.integers(least, most, 40)
    bounced = rng.binomial(n, rng.uniform(0, 0.08, 40))
    replied = rng.binomial(n - bounced, rng.uniform(0, 0.2, 40))
    counts = np.stack([replied, n - bounced, bounced, n], axis=-1)
    got = Posterior.of(counts).bands(policy)
    expected = np.array([referee(row, policy) for row in counts.tolist()])
    assert np.abs(got - expected).max() < 0.006
    assert np.abs(got.sum(axis=1) - 1).max() < 1e-9


def test_they_agree_with_the_package_s_posterior():
    """`score_certainty` spreads the mass of a cell evenly, which is coarser."""
    counts = np.array([[81, 900, 20, 950], [10, 140, 3, 150], [400, 4000, 100, 4100]])
    sure = score_certainty(counts, load_policy()).bands
    assert np.abs(Posterior.of(counts).bands(load_policy()) - sure).max() < 0.03


@given(st.integers(0, 400), st.integers(0, 400))
@settings(max_examples=25)
def test_the_table_of_a_rate_is_its_beta_distribution(one, other):
    from scipy.special import betainc

    rates = np.array([0.001, 0.02, 0.07, 0.3, 0.8])
    table = RateTable.of(np.array([one]), np.array([one + other]))
    expected = betainc(one + 0.5, other + 0.5, rates)
    assert np.abs(table.at(rates)[:, 0] - expected).max() < 0.002
    assert table.at(np.array([0.0, 1.0]))[:, 0].tolist() == [0.0, 1.0]


@given(drafts(valid=True))
def test_a_curve_turned_around_gives_where_it_begins_to_give(draft):
    policy = draft.policy()
    curve = policy.reply_points
    asked = np.linspace(-1, curve.most + 1, 41)
    found = rate_of(curve, asked)
    grid = np.linspace(0, 1, 2001)
    gives = points_at(curve, grid)
    for points, rate in zip(asked, found, strict=True):
        enough = grid[gives >= points]
        assert abs(rate - (enough[0] if len(enough) else 1.0)) <= 1 / 2000 + 1e-12
    for one in (curve, policy.bounce_points):
        plain = pl.select(one.points(pl.lit(TINY))).to_series().to_numpy()
        assert np.abs(points_at(one, TINY.to_numpy()) - plain).max() < 1e-9


def test_flips_happen_as_often_as_a_simulation_says():
    """Two periods with the observed rates as true ones (Livingston & Lewis 1995)."""
    rng = np.random.default_rng(5)
    policy, n = load_policy(), 1_000
    for reply, bounce in ((0.10, 0.02), (0.06, 0.03), (0.13, 0.008)):
        bounced = rng.binomial(n, bounce, (2, 40_000))
        replied = rng.binomial(n - bounced, reply)
        points = points_at(policy.reply_points, replied / (n - bounced))
        points += points_at(policy.bounce_points, bounced / n)
        lowers = np.array([band.lower for band in policy.bands]) - 1e-9
        bands = np.searchsorted(lowers, points, side="right")
        simulated = float((bands[0] != bands[1]).mean())
        typical = [round(reply * n * (1 - bounce)), round(n * (1 - bounce)), round(bounce * n), n]
        flips = flip_chance(Posterior.of(np.array([typical])).bands(policy))
        assert abs(float(flips[0]) - simulated) < 0.05


@given(tallies(), drafts(valid=True), st.sampled_from([0, 2, 5]))
@settings(max_examples=30)
def test_scores_and_bands_are_those_of_score(frame, draft, weeks):
    data, policy = data_of(frame), draft.policy()
    window = Window.of(data, Selection(), policy, weeks)
    stand = window.stand(policy)
    chosen = window.selection.apply(frame, ROSTER)
    expected = {
        row["user_id"]: row
        for row in score(chosen, policy, by="user", roster=ROSTER).iter_rows(named=True)
    }
    names = policy.band_names
    for i, user in enumerate(window.ids):
        row = expected.get(user)
        assert (row is None) == (not window.held[i])
        if row is None or row["score"] is None:
            assert np.isnan(stand.scores.score[i])
            assert np.isnan(stand.flips[i])
        else:
            assert abs(stand.scores.score[i] - row["score"]) < 1e-9
            assert names[stand.scores.band[i]] == row["band"]
            assert 0 <= stand.flips[i] <= 1 - 1 / len(names) + 1e-9
    together = stand.together()
    assert together.ended.tolist() == [int(window.counts[ENDED].sum())]


@given(tallies(), drafts(valid=True), drafts(valid=True))
@settings(max_examples=30)
def test_the_matrix_counts_every_sender_once(frame, one, other):
    window = Window.of(data_of(frame), Selection(), one.policy(), 0)
    before, after = window.stand(one.policy()), window.stand(other.policy())
    moves = Moves.of(before, after, window.held)
    pairs = Counter(
        (int(a), int(b))
        for a, b, held in zip(before.scores.band, after.scores.band, window.held, strict=True)
        if held
    )
    # Place −1, without a score, is the last row and column.
    assert {k: v for k, v in np.ndenumerate(moves.matrix) if v} == {
        (a % moves.matrix.shape[0], b % moves.matrix.shape[1]): n for (a, b), n in pairs.items()
    }
    assert sum(moves.fill[0]) == sum(n for (a, _), n in pairs.items() if a >= 0)
    assert sum(moves.fill[1]) == sum(n for (_, b), n in pairs.items() if b >= 0)
    unmoved = Moves.of(before, before, window.held)
    assert not unmoved.moved.any()
    assert not unmoved.step.any()
    back = Moves.of(after, before, window.held)
    assert (back.matrix == moves.matrix.T).all()
    assert (back.moved == moves.moved).all()
    assert (back.step == -moves.step).all()


def test_a_renamed_band_is_the_same_band_and_another_number_goes_by_name():
    policy = load_policy()
    renamed = policy.model_copy(
        update={"bands": tuple(b.model_copy(update={"name": b.name + "!"}) for b in policy.bands)}
    )
    assert (same_bands(policy, renamed) == np.eye(4, dtype=bool)).all()
    fewer = policy.model_copy(update={"bands": policy.bands[:1] + policy.bands[2:]})
    assert same_bands(policy, fewer).argmax(axis=1).tolist() == [0, 0, 1, 2]
    assert not same_bands(policy, fewer)[1].any()


def test_a_draft_that_is_no_policy_is_not_scored_and_the_last_result_stays():
    model = Model(Data.of_paths([]))
    good = {"reply_points": {"knots": [[0, 0], [0.05, 35], [0.2, 50]]}}
    model.update(good)
    before = model.draw().values
    bad = model.answer({"do": "update", "changes": {"reply_points": {"knots": [[0, 9], [0.1, 3]]}}})
    assert bad.values["stale"]
    assert not bad.values["error"]
    assert [p["field"] for p in bad.values["problems"] if p["part"] == "reply_points"] == ["points"]
    for key in ("matrix", "after", "moved", "gauges"):
        assert bad.values[key] == before[key]
    # What does not belong to the draft still follows.
    wider = model.answer({"do": "update", "changes": {"weeks": 26}})
    assert wider.values["stale"]
    assert wider.values["enrollments"] > before["enrollments"]
    model.undo()
    model.undo()
    assert not model.draw().values["stale"]


def test_a_frame_says_what_the_numbers_are():
    data = Data.of_paths([])
    model = Model(data, Trial.create(weeks=12))
    model.update({"bands": [{"name": "Low", "lower": 0}, {"name": "Good", "lower": 76}]})
    frame = model.draw()
    values, rows = frame.values, frame.values["rows"]
    after = np.frombuffer(frame.buffers[rows["after_band"]], np.int8)
    ended = np.frombuffer(frame.buffers[rows["ended"]], np.int32)
    step = np.frombuffer(frame.buffers[rows["step"]], np.int8)
    flips = np.frombuffer(frame.buffers[rows["after_flip"]], np.float32)
    assert len(model.about()["ids"]) == len(after) == 16
    assert values["after"]["fill"] == [int((after == i).sum()) for i in range(2)]
    # The highest band of four has become the highest of two: another band, neither up nor down.
    assert values["moved"] == int((step != 0).sum()) == 10
    assert [values["up"], values["down"]] == [int((step == n).sum()) for n in (1, -1)] == [0, 8]
    assert values["enrollments"] == int(ended[ended >= 0].sum())
    assert values["after"]["flip"] == pytest.approx(float(np.nanmean(flips)), abs=1e-6)
    assert values["gauges"]["label"] == "All senders together"
    model.update({"chosen": "1001"})
    chosen = model.draw().values["gauges"]
    assert chosen["label"] == "Amina Yusuf"
    assert sum(chosen["after"]["points"]) == pytest.approx(chosen["after"]["score"], abs=1e-3)
    model.update({"chosen": "nobody"})
    assert model.draw().values["gauges"]["label"] == "All senders together"


def test_an_account_with_nobody_scored_shows_that():
    frame = full().filter(pl.col("user_id") == "7").head(3)
    values = Model(Data.of_tallies(frame)).draw().values
    assert values["after"]["flip"] is None
    assert values["after"]["scored"] == values["moved"] == 0
    assert values["gauges"]["after"]["points"] is None


def test_a_selection_narrows_what_is_scored():
    data = data_of(full())
    some = Model(data, Trial.create(weeks=0), Selection(users=["7"], sequences=["a"]))
    assert some.about()["ids"] == ["7"]
    assert some.draw().values["enrollments"] == 45 * 12
    with pytest.raises(SelectionError, match="There is no user 'nobody'"):
        Model(data, None, Selection(users=["nobody"]))
    short = Model(data, Trial.create(weeks=2), Selection(end="2026-03-22"))
    assert short.draw().values["days"] == "9 Mar – 22 Mar 2026"
