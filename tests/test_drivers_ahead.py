"""What lies ahead: published sample sizes, paces by hand, paths against a slow referee."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from statsmodels.stats.proportion import power_proportions_2indep

from senderscore_nb.certainty import score_certainty
from senderscore_nb.drivers import Outlook, ahead, ahead_by_week, power_curve, sample_size_for
from senderscore_nb.drivers.climb import Window, climb, points
from senderscore_nb.drivers.outlook_words import ahead_words, tell_words
from senderscore_nb.drivers.pace import (
    HORIZON,
    Pace,
    Weekdays,
    lengths_of,
    pace_of,
    reached,
    scatter_of,
)
from senderscore_nb.drivers.power import State, TwoSided, enrollments_to_tell, proportions_power
from senderscore_nb.errors import ContractError, SelectionError
from senderscore_nb.policy import load_policy, parse_policy
from senderscore_nb.sample import NO_EFFECTS, SENDERS, simulate
from senderscore_nb.tally import tally
from tests.conftest import MONDAY, tally_rows
from tests.hostile import NAMES

POLICY = load_policy()
TODAY = MONDAY + dt.timedelta(days=83)
STEPS = parse_policy(POLICY.to_toml().replace('interpolation = "linear"', 'interpolation = "step"'))


def steady(user, weekly, replied, bounced, weeks=12, first=0):
    return [
        (user, "1", MONDAY + dt.timedelta(weeks=w, days=2), weekly, replied, bounced)
        for w in range(first, weeks)
    ]


def test_telling_7_from_10_percent_replies_takes_about_1350_on_each_side():
    """The textbook figure of delivered mails, and the same by statsmodels."""
    told = sample_size_for(5, reply_rate=0.07, bounce_rate=0.0).filter(way="more replies")
    assert told["to_rate"].to_list() == [0.10]
    n = told["by_rate"][0]
    assert n == pytest.approx(1350, abs=10)
    theirs = power_proportions_2indep(0.03, 0.07, n, return_results=True).power
    assert theirs == pytest.approx(0.8, abs=2e-3)
    assert (
        proportions_power(0.07, 0.10, n - 1, TwoSided())
        < 0.8
        <= proportions_power(0.07, 0.10, n, TwoSided())
    )


@given(st.floats(0.02, 0.3), st.floats(0.02, 0.3), st.integers(50, 20_000))
def test_the_power_of_two_proportions_is_the_librarys(p, q, n):
    theirs = power_proportions_2indep(p - q, q, n, return_results=True).power
    # The library adds the chance of telling the wrong side, which is at most 2.5 %.
    assert proportions_power(p, q, n, TwoSided()) == pytest.approx(theirs, abs=0.026)


def test_differences_go_through_the_curves():
    sizes = sample_size_for([5, 20], POLICY, reply_rate=0.07, bounce_rate=0.03)
    by = {(row["points"], row["way"]): row for row in sizes.iter_rows(named=True)}
    assert by[5, "fewer bounces"]["to_rate"] == pytest.approx(0.02)
    assert by[5, "fewer replies"]["to_rate"] == pytest.approx(0.06)
    assert by[5, "more replies"]["by_score"] > by[5, "more replies"]["by_rate"]
    assert by[20, "more replies"]["to_rate"] is None  # only 15 points are left above
    assert by[20, "more replies"]["by_score"] is None
    for row in sizes.drop_nulls().iter_rows(named=True):
        curve = POLICY.reply_points if row["measure"] == "reply_rate" else POLICY.bounce_points
        ends = points(curve, np.array([row["from_rate"], row["to_rate"]]))
        assert abs(ends[1] - ends[0]) == pytest.approx(row["points"], abs=1e-6)


def test_larger_differences_and_less_certainty_take_fewer():
    sizes = sample_size_for([2, 4, 8], POLICY).filter(way="fewer replies")
    assert sizes["by_score"].to_list() == sorted(sizes["by_score"], reverse=True)
    more = sample_size_for(4, POLICY, power=0.9).filter(way="fewer replies")
    loose = sample_size_for(4, POLICY, alpha=0.2).filter(way="fewer replies")
    assert loose["by_score"][0] < sizes["by_score"][1] < more["by_score"][0]


def test_step_policies_jump():
    jump = sample_size_for(1, STEPS, reply_rate=0.065, bounce_rate=0.01).filter(way="more replies")
    assert jump["to_rate"].to_list() == [pytest.approx(0.07)]
    curve = power_curve(1, STEPS, reply_rate=0.065, bounce_rate=0.01, sizes=[100, 10_000])
    assert curve.filter(way="more replies")["by_rate"].is_sorted()


def test_power_curves_rise_to_one_and_cross_where_the_sizes_say():
    curve = power_curve(10, POLICY).filter(way="fewer replies")
    for name in ("by_rate", "by_score"):
        assert curve[name].is_sorted()
    told = sample_size_for(10, POLICY).filter(way="fewer replies")
    at = power_curve(10, POLICY, sizes=[told["by_rate"][0], told["by_score"][0]])
    at = at.filter(way="fewer replies")
    assert at["by_rate"][0] == pytest.approx(0.8, abs=1e-3)
    assert at["by_score"][1] == pytest.approx(0.8, abs=1e-3)


def test_the_score_of_two_equal_sides_is_told_apart_by_chance_alone_at_the_stated_error():
    n = enrollments_to_tell(5, State(0.09, 0.02), POLICY, TwoSided())
    rng = np.random.default_rng(1)
    bounced = rng.binomial(n, 0.02, (2, 4000))
    replied = rng.binomial(n - bounced, 0.09)
    score = points(POLICY.reply_points, replied / (n - bounced))
    score += points(POLICY.bounce_points, bounced / n)
    told = np.abs(score[0] - score[1] + 5) > TwoSided().z * np.std(score[0] - score[1])
    assert told.mean() == pytest.approx(0.8, abs=0.03)


@pytest.mark.parametrize(
    "wrong",
    [
        {"points": 0}, {"points": -1}, {"points": float("nan")}, {"points": 5, "reply_rate": 7},
        {"points": 5, "bounce_rate": -0.1}, {"points": 5, "power": 1.0},
        {"points": 5, "alpha": 0.9}, {"points": [5, 0]},
    ],
)  # fmt: skip
def test_impossible_questions_are_refused(wrong):
    with pytest.raises(SelectionError):
        sample_size_for(**wrong)


def test_a_certain_rate_is_told_at_once_and_words_say_both_ends():
    assert proportions_power(0.0, 1.0, 1, TwoSided()) == 1.0
    assert proportions_power(0.0, 0.0, 10, TwoSided()) == 0.0
    text = tell_words(sample_size_for(10, POLICY))
    assert "more replies" in text
    assert "on each side" in text
    none = tell_words(sample_size_for(99, POLICY, reply_rate=0.5, bounce_rate=0))
    assert none.startswith("No such difference")


def test_the_pace_is_the_last_28_days_by_weekday_and_a_new_ones_days():
    days = [TODAY - dt.timedelta(days=d) for d in range(60)]
    days = [day for day in days if day.weekday() < 5]
    events = pl.DataFrame({"day": days, "events": [4] * len(days)})
    weekdays = Weekdays(events, TODAY)
    pace = pace_of(events, weekdays, TODAY)
    assert pace.seen == 80
    assert pace.daily * 7 == pytest.approx(20, rel=0.02)
    coming = weekdays.ahead()
    assert coming[:7].sum() == pytest.approx(7)
    first = TODAY.weekday() + 1
    assert coming[(5 - first) % 7] < 0.1 < 1.3 < coming[(0 - first) % 7]
    new = events.filter(pl.col("day") > TODAY - dt.timedelta(days=10))
    assert pace_of(new, weekdays, TODAY).daily == pytest.approx(pace.daily, rel=0.05)
    assert pace_of(events.clear(), weekdays, TODAY) == Pace()


def test_how_much_weeks_scatter_is_found_again():
    rng = np.random.default_rng(6)
    rows = []
    for user in range(40):
        for week in range(14):
            mean = rng.gamma(4, 30 / 4)  # variance of a count: mean + mean² / 4
            rows.append((str(user), TODAY - dt.timedelta(weeks=week), int(rng.poisson(mean))))
    events = pl.DataFrame(rows, ["user_id", "day", "events"], orient="row")
    a, b = scatter_of(events, ["user_id"], TODAY)
    assert a + b * 30 == pytest.approx(1 + 30 / 4, rel=0.25)
    regular = events.with_columns(events=pl.lit(30, pl.Int64))
    assert scatter_of(regular, ["user_id"], TODAY)[0] < 0.3
    assert scatter_of(events.clear(), ["user_id"], TODAY) == (pytest.approx(1.0), 0.0)


@given(st.floats(0.5, 200), st.floats(0.3, 400), st.integers(-5, 300))
def test_the_chance_of_a_count_falls_with_what_is_needed(mean, variance, needed):
    at, more = (
        float(reached(np.array([mean]), np.array([variance]), np.array([n]))[0])
        for n in (needed, needed + 1)
    )
    assert 0 <= more <= at <= 1
    assert at == 1 or needed > 0


def test_life_tables_count_what_is_still_active():
    """Kaplan & Meier 1958 by hand: ends after 1 and 3 days, one still active after 2."""
    today = MONDAY + dt.timedelta(days=2)
    runs = pl.DataFrame(
        {
            "sequence_id": ["1"] * 4,
            "enrolled_on": [MONDAY, MONDAY, MONDAY, MONDAY - dt.timedelta(days=1)],
            "ended_on": [MONDAY + dt.timedelta(days=1), None, None, today],
        }
    )
    table = lengths_of(runs, today)
    assert table.together[:5] == pytest.approx([0, 1 / 4, 1 / 4, 1, 1])
    assert table.of("1") == pytest.approx(table.together)
    assert table.of("other") is table.together


def test_collecting_senders_get_a_day_with_an_interval():
    tallies = tally_rows(*steady("new", 12, 1, 0, first=8), *steady("old", 60, 5, 1))
    found = ahead(tallies, POLICY, as_of=TODAY)
    new = found.filter(user_id="new").row(0, named=True)
    assert new["status"] == "collecting"
    assert new["missing"] == 52
    expected = TODAY + dt.timedelta(days=52 / 12 * 7)
    assert abs((new["ready_on"] - expected).days) <= 3
    assert TODAY < new["ready_low"] < new["ready_on"] < new["ready_high"]
    assert new["pace"] == pytest.approx(12, rel=0.02)
    assert found.filter(user_id="old")["ready_on"][0] is None
    assert "new about" in ahead_words(found)


def test_who_never_fills_the_window_is_never_ready():
    slow = ahead(tally_rows(*steady("slow", 5, 1, 0), *steady("old", 60, 5, 1)), as_of=TODAY)
    row = slow.filter(user_id="slow").row(0, named=True)
    assert row["ready_high"] is None
    assert row["p_ready"] < 0.05
    both = tally_rows(*steady("slow", 5, 1, 0), *steady("old", 60, 5, 1))
    whole = ahead(both, as_of=TODAY, window_days=None)
    assert whole.filter(user_id="slow")["ready_on"][0] is not None


def test_active_runs_are_not_forgotten():
    """Somebody new has hardly ended anything: tallies alone expect far too late a day."""
    senders = [
        s if s.user_id != "1016" else s.__class__(**{**s.__dict__, "first_week": 14})
        for s in SENDERS
    ]
    rows = simulate(3, senders=senders, weeks=24, effects=NO_EFFECTS)
    counts = tally(rows)
    today = rows["ended_on"].max() - dt.timedelta(weeks=9, days=2)
    past = counts.filter(pl.col("day") <= today)
    options = {"as_of": today, "window_days": None}
    own = counts.filter(user_id="1016").sort("day").group_by("day", maintain_order=True)
    reached_on = own.agg(pl.col("ended").sum()).filter(pl.col("ended").cum_sum() >= 100)["day"][0]
    late = ahead(past, **options).filter(user_id="1016").row(0, named=True)
    near = ahead(past, enrollments=rows, **options).filter(user_id="1016").row(0, named=True)
    assert near["ready_low"] <= reached_on <= near["ready_high"]
    assert abs((near["ready_on"] - reached_on).days) < abs((late["ready_on"] - reached_on).days)


def slowly(window, pace, edge, weeks, draws, seed):
    """One path after another, one week after another."""
    rng = np.random.default_rng(seed)
    shown = np.zeros(weeks)
    by = np.zeros(weeks)
    for _ in range(draws):
        old = [list(part) for part in (window.ended, window.replied, window.bounced)]
        n, x, b = (sum(part) for part in old)
        reply = rng.beta(x + 0.5, n - b - x + 0.5)
        bounce = rng.beta(b + 0.5, n - b + 0.5)
        weekly = 7 * pace.daily * rng.gamma(pace.seen, 1 / pace.seen)
        ever = False
        for week in range(weeks):
            ended = rng.poisson(weekly)
            bounced = rng.binomial(ended, bounce)
            new = (ended, rng.binomial(ended - bounced, reply), bounced)
            for part, value in zip(old, new, strict=True):
                part.insert(0, value)
                part.pop()
            n, x, b = (sum(part) for part in old)
            score = pl.select(
                POLICY.reply_points.points(pl.lit(x / (n - b)))
                + POLICY.bounce_points.points(pl.lit(b / n))
            ).item() if n >= 100 and n > b else -1.0  # fmt: skip
            ever |= score >= edge - 1e-9
            shown[week] += score >= edge - 1e-9
            by[week] += ever
    return shown / draws, by / draws


def test_paths_are_those_of_one_path_after_another():
    rng = np.random.default_rng(8)
    ended = rng.integers(20, 40, 6).astype(float)
    replied = rng.binomial(ended.astype(int), 0.08).astype(float)
    window = Window(ended, replied, np.array([1.0, 0, 1, 0, 2, 0]))
    pace = Pace(30 / 7, 120, 1.0)
    fast = climb(window, pace, 80.0, POLICY, weeks=8, draws=20_000)
    shown, by = slowly(window, pace, 80.0, 8, 600, 1)
    assert fast.shown == pytest.approx(shown, abs=0.07)
    assert fast.by == pytest.approx(by, abs=0.07)
    assert (np.diff(fast.by) >= 0).all()
    assert (fast.shown <= fast.by + 1e-12).all()


@given(
    st.lists(st.integers(0, 80), min_size=2, max_size=12),
    st.floats(0, 100),
    st.floats(0, 10),
    st.integers(1, 20),
)
@settings(max_examples=25)
def test_chances_are_chances_and_the_lowest_edge_is_reached_by_who_has_a_score(
    drawn, edge, daily, weeks
):
    ended = np.array(drawn, dtype=float)
    window = Window(ended, np.floor(ended / 10), np.floor(ended / 30))
    pace = Pace(daily, 28 * daily, 1.0)
    found = climb(window, pace, edge, POLICY, weeks=weeks, draws=50)
    assert ((found.shown >= 0) & (found.by <= 1)).all()
    lower = climb(window, pace, 0.0, POLICY, weeks=weeks, draws=50)
    assert (lower.by >= found.by).all()
    again = climb(window, pace, edge, POLICY, weeks=weeks, draws=50)
    assert again.by.tolist() == found.by.tolist()


def test_a_long_way_off_nothing_comes_and_the_truth_takes_over_in_the_end():
    counts = np.array([[40, 1000, 30, 1020]])
    bands = score_certainty(counts, POLICY).bands[0]
    tallies = tally_rows(*steady("a", 85, 3, 3))
    found = ahead(tallies, POLICY, as_of=TODAY).row(0, named=True)
    assert found["next_band"] == "Good"
    assert found["p_truth"] < 0.05
    assert found["p_next"] < 0.1
    assert bands.sum() == pytest.approx(1)
    near = ahead(tally_rows(*steady("a", 100, 7, 3)), POLICY, as_of=TODAY).row(0, named=True)
    weeks = ahead_by_week(tally_rows(*steady("a", 100, 7, 3)), POLICY, as_of=TODAY)
    if near["next_band"]:
        assert weeks["p_by"][-1] == near["p_next"]
        # Once the window is all new, the score shows the truth but for its own noise.
        assert weeks["p_shown"][-1] == pytest.approx(near["p_truth"], abs=0.15)


def test_by_week_has_a_row_for_each_week_of_those_with_something_ahead():
    tallies = tally_rows(
        *steady("best", 100, 30, 0), *steady("fair", 100, 5, 4), *steady("new", 9, 1, 0, first=6)
    )
    weeks = ahead_by_week(tallies, POLICY, as_of=TODAY, outlook=Outlook(weeks=5, draws=100))
    assert weeks["user_id"].unique().sort().to_list() == ["fair", "new"]
    assert weeks.filter(user_id="new")["p_by"].null_count() == 5
    assert weeks.filter(user_id="new")["p_ready"].is_sorted()
    assert weeks.filter(user_id="fair")["day"].to_list() == [
        TODAY + dt.timedelta(weeks=i) for i in range(1, 6)
    ]
    assert ahead(tallies, POLICY, as_of=TODAY).filter(user_id="best")["next_band"][0] is None


def test_nobody_and_unknown_measures():
    none = ahead(tally_rows(), POLICY)
    assert none.is_empty()
    one = tally_rows(*steady("a", 60, 5, None))
    found = ahead(one, POLICY, as_of=TODAY)
    assert none.columns == found.columns
    assert found["status"].to_list() == ["not_computable"]
    assert found["p_next"].to_list() == found["n_to_tell"].to_list() == [None]
    assert ahead_by_week(tally_rows(), POLICY).is_empty()
    assert ahead_words(none) == "There is nobody to look ahead for."
    assert ahead(one, POLICY, as_of=MONDAY - dt.timedelta(days=9)).is_empty()


@pytest.mark.parametrize(
    "wrong",
    [
        {"outlook": Outlook(weeks=0)}, {"outlook": Outlook(weeks=60)},
        {"outlook": Outlook(points=0)}, {"outlook": Outlook(confidence=95)}, {"window_days": 3},
    ],
)  # fmt: skip
def test_numbers_out_of_range_are_refused(wrong):
    with pytest.raises(SelectionError):
        ahead(tally_rows(*steady("a", 60, 5, 1)), POLICY, **wrong)


def test_order_of_rows_and_hostile_names_change_nothing():
    rows = [row for name in NAMES[:4] for row in steady(name, 60, 5, 1)]
    tallies = tally_rows(*rows)
    found = ahead(tallies, POLICY, as_of=TODAY)
    assert_frame_equal(ahead(tallies[::-1], POLICY, as_of=TODAY), found)
    assert set(found["user_id"]) == set(NAMES[:4])
    assert ahead_words(found)
    with pytest.raises(ContractError):
        ahead(tallies.drop("replied"), POLICY, as_of=TODAY)
    assert HORIZON >= 365
