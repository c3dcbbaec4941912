"""Changes between two windows, and what is called more than noise."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from senderscore_nb.change import Window, change
from senderscore_nb.policy import load_policy
from senderscore_nb.score import score
from tests.conftest import MONDAY, tally_rows

POLICY = load_policy()
NOW = Window(MONDAY, MONDAY + dt.timedelta(days=27))


def rows(user, when, ended, replied, bounced):
    return (user, "1", when, ended, replied, bounced)


def test_the_change_is_the_difference_of_the_scores():
    before = NOW.back(28)
    tallies = tally_rows(
        rows("7", NOW.start, 1000, 120, 10),
        rows("7", before.start, 1000, 60, 30),
        rows("8", NOW.start, 1000, 80, 20),
        rows("9", before.end, 1000, 80, 20),
    )
    got = change(tallies, POLICY, now=NOW, before=before)
    assert got["user_id"].to_list() == ["7", "8", "9"]
    now, then = (score(w.of(tallies), POLICY) for w in (NOW, before))
    row = got.row(0, named=True)
    assert row["score_change"] == pytest.approx(now["score"][0] - then["score"][0])
    assert row["score_change_low"] < row["score_change"] < row["score_change_high"]
    assert row["score_certain"] is True
    assert got["score_change"].to_list()[1:] == [None, None]
    assert got["score_certain"].to_list()[1:] == [None, None]


def test_a_window_against_itself_has_not_changed():
    tallies = tally_rows(rows("7", NOW.start, 1000, 120, 10))
    row = change(tallies, POLICY, now=NOW, before=NOW).row(0, named=True)
    for metric in ("score", "reply_rate", "bounce_rate"):
        assert row[f"{metric}_change"] == 0
        # What is left is the asymmetry of the interval, far less than the interval itself.
        width = row[f"{metric}_change_high"] - row[f"{metric}_change_low"]
        own = score(tallies, POLICY).row(0, named=True)
        assert 0 <= width < 0.75 * (own[f"{metric}_high"] - own[f"{metric}_low"])
        assert row[f"{metric}_certain"] is False


def test_shared_days_narrow_the_interval():
    week = dt.timedelta(weeks=1)
    tallies = tally_rows(*(rows("7", MONDAY + i * week, 500, 40 + 3 * i, 10) for i in range(-4, 4)))
    overlapping = change(tallies, POLICY, now=NOW, before=NOW.back(7)).row(0, named=True)
    apart = change(tallies, POLICY, now=NOW, before=NOW.back(28)).row(0, named=True)

    def width(row):
        return row["reply_rate_change_high"] - row["reply_rate_change_low"]

    assert width(overlapping) < 0.75 * width(apart)


@pytest.mark.parametrize("back", [7, 28])
def test_the_interval_of_a_change_covers_it(back):
    """Simulated: in 93–97 % of 1,000 senders whose rates do not change, 0 is inside."""
    draw = np.random.default_rng(5)
    week = dt.timedelta(weeks=1)
    cells = []
    for user in range(1000):
        reply, bounce = draw.uniform(0.05, 0.15), draw.uniform(0.01, 0.04)
        n = int(draw.integers(80, 300))
        for i in range(-4, 4):
            bounced = int(draw.binomial(n, bounce))
            replied = int(draw.binomial(n - bounced, reply))
            cells.append(rows(str(user), MONDAY + i * week, n, replied, bounced))
    got = change(tally_rows(*cells), POLICY, now=NOW, before=NOW.back(back))
    for metric in ("reply_rate", "bounce_rate", "score"):
        inside = ((got[f"{metric}_change_low"] <= 0) & (got[f"{metric}_change_high"] >= 0)).mean()
        assert 0.93 <= inside <= 0.97, (metric, inside)
        # All judged together: hardly any of a thousand senders without a change is called one.
        assert got[f"{metric}_certain"].mean() <= 0.01


def test_everyone_together_and_nobody():
    tallies = tally_rows(
        rows("7", NOW.start, 1000, 120, 10), rows("8", NOW.back(28).end, 900, 20, 90)
    )
    together = change(tallies, POLICY, now=NOW, before=NOW.back(28), by="")
    assert together.height == 1
    assert together["score_change"].item() > 0
    assert change(tally_rows(), POLICY, now=NOW, before=NOW.back(28)).height == 0


def test_a_step_alone_is_not_a_change():
    """Rates within noise on either side of a jump: the score moves by a step, and that is noise."""
    from senderscore_nb.policy import BounceCurve

    steps = BounceCurve(interpolation="step", knots=((0, 40), (0.02, 20)))
    policy = POLICY.model_copy(update={"bounce_points": steps})
    tallies = tally_rows(
        rows("7", NOW.start, 1000, 67, 21), rows("7", NOW.back(28).start, 1000, 68, 19)
    )
    row = change(tallies, policy, now=NOW, before=NOW.back(28)).row(0, named=True)
    assert row["score_change"] < -19
    assert row["score_certain"] is False
    assert row["score_change_low"] <= 0 <= row["score_change_high"]
