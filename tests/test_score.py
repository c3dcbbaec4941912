"""Scores: from summed counts, with both minimums, the paid seat and the Collecting state."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from senderscore_nb.errors import SelectionError
from senderscore_nb.policy import CountingRules, load_policy
from senderscore_nb.score import parse_by, score
from senderscore_nb.sums import summarize
from tests.conftest import MONDAY, tally_rows

POLICY = load_policy()

cells = st.lists(
    st.tuples(
        st.sampled_from("789"), st.sampled_from("12"), st.integers(0, 40), st.integers(0, 200)
    ).flatmap(
        lambda c: st.tuples(st.just(c), st.integers(0, c[3])).flatmap(
            lambda d: st.tuples(st.just(d[0]), st.integers(0, d[0][3] - d[1]), st.just(d[1]))
        )
    ),
    min_size=1,
    max_size=12,
).map(
    lambda rows: summarize(
        tally_rows(
            *((u, s, MONDAY + dt.timedelta(days=d), n, r, b) for (u, s, d, n), r, b in rows)
        ),
        ["user_id", "sequence_id", "day"],
    )
)


@given(cells)
def test_rates_and_points_come_from_summed_counts(tallies):
    rows = score(tallies, POLICY, by="user")
    for row in rows.iter_rows(named=True):
        mine = tallies.filter(pl.col("user_id") == row["user_id"])
        ended, replied, bounced = (mine[c].sum() for c in ("ended", "replied", "bounced"))
        assert row["ended"] == ended
        delivered = ended - bounced
        assert row["reply_rate"] == (replied / delivered if delivered else None)
        assert row["bounce_rate"] == (bounced / ended if ended else None)
        if row["status"] == "scored":
            assert row["score"] == row["reply_points"] + row["bounce_points"]
            assert row["score_low"] <= row["score"] <= row["score_high"]
            assert row["band_probability"] == row[f"p_{row['band'].lower()}"]
        else:
            assert row["score"] is row["band"] is row["reply_points"] is row["score_low"] is None
        assert (row["status"] == "scored") == (ended >= 100 and delivered > 0)


@given(cells)
def test_equal_counts_give_equal_scores(tallies):
    doubled = pl.concat([tallies, tallies.with_columns(pl.col("user_id") + "x")])
    rows = score(doubled, POLICY, by="user").drop("expected_on")
    twins = rows.filter(pl.col("user_id").str.ends_with("x")).with_columns(
        pl.col("user_id").str.strip_chars_end("x")
    )
    assert_frame_equal(rows.filter(~pl.col("user_id").str.ends_with("x")), twins)


@given(cells, st.integers(1, 30))
def test_more_replies_never_lower_a_score_and_more_bounces_never_raise_it(tallies, more):
    def total(replied, bounced):
        rows = tally_rows(("7", "1", MONDAY, 300, replied, bounced))
        return score(rows, POLICY)["score"].item()

    replied = tallies["replied"].sum() % 100
    bounced = tallies["bounced"].sum() % 100
    assert total(replied + more, bounced) >= total(replied, bounced)
    # A bounce is one delivered less, so the same replies are a higher share: hold the share.
    ended = load_policy().model_copy(update={"counting": CountingRules(reply_denominator="ended")})

    def strict(bounced):
        rows = tally_rows(("7", "1", MONDAY, 300, replied, bounced))
        return score(rows, ended)["score"].item()

    assert strict(bounced + more) <= strict(bounced)


@pytest.mark.parametrize(
    ("by", "n", "status", "missing"),
    [
        ("user", 99, "collecting", 1),
        ("user", 100, "scored", 0),
        ("user,sequence", 100, "collecting", 1),
        ("user,sequence", 101, "scored", 0),
        ("sequence", 100, "collecting", 1),
        ("week", 100, "scored", 0),
        ("", 99, "collecting", 1),
    ],
)
def test_both_minimums(by, n, status, missing):
    row = score(tally_rows(("7", "1", MONDAY, n, 8, 1)), POLICY, by=by).row(0, named=True)
    assert (row["status"], row["missing"]) == (status, missing)


def test_a_collecting_sender_is_told_when():
    days = [MONDAY + dt.timedelta(days=d) for d in range(28)]
    rows = tally_rows(*(("7", "1", day, 2, 0, 0) for day in days))
    row = score(rows, POLICY).row(0, named=True)
    assert row["missing"] == 44
    assert row["expected_on"] == days[-1] + dt.timedelta(days=22)
    later = score(rows, POLICY, as_of=days[-1] + dt.timedelta(days=14)).row(0, named=True)
    assert later["expected_on"] == days[-1] + dt.timedelta(days=14 + 44)
    idle = score(rows, POLICY, as_of=days[-1] + dt.timedelta(days=90)).row(0, named=True)
    assert idle["expected_on"] is None
    assert score(rows, POLICY, by="user,week")["expected_on"].null_count() == 4


def test_without_a_paid_seat_there_is_no_score_and_a_stranger_is_scored():
    rows = tally_rows(*((u, "1", MONDAY, 500, 40, 5) for u in "789"))
    roster = pl.DataFrame(
        {"user_id": ["7", "8"], "team": ["N", "N"], "paid_seat": [False, None]},
        schema_overrides={"paid_seat": pl.Boolean},
    )
    got = score(rows, POLICY, roster=roster)
    assert got["status"].to_list() == ["no_paid_seat", "scored", "scored"]
    assert got["verdict"][0] == "No paid seat"
    assert got["score"][0] is None
    assert got["reply_rate"][0] is not None
    teams = score(rows, POLICY, by="team", roster=roster)
    assert dict(teams.select("team", "ended").iter_rows()) == {"N": 1000, "(no team)": 500}


def test_what_a_source_cannot_know_is_not_computable():
    rows = tally_rows(("7", "1", MONDAY, 500, 40, None), ("8", "1", MONDAY, 500, 0, 500))
    got = score(rows, POLICY)
    assert got["status"].to_list() == ["not_computable", "not_computable"]
    assert got["score"].null_count() == 2
    assert got["bounce_rate"].to_list() == [None, 1.0]


def test_the_reply_denominator_is_an_option():
    rows = tally_rows(("7", "1", MONDAY, 1000, 70, 300))
    ended = POLICY.model_copy(update={"counting": CountingRules(reply_denominator="ended")})
    assert score(rows, POLICY)["reply_rate"].item() == pytest.approx(0.1)
    assert score(rows, ended)["reply_rate"].item() == pytest.approx(0.07)


def test_nobody_gives_no_rows_and_all_columns():
    empty = tally_rows()
    full = tally_rows(("7", "1", MONDAY, 500, 40, 5))
    for by in ("user", "user,week", "user,sequence"):
        nobody, somebody = score(empty, POLICY, by=by), score(full, POLICY, by=by)
        assert nobody.height == 0
        assert nobody.schema == somebody.schema


def test_huge_counts_are_scored():
    row = score(tally_rows(("7", "1", MONDAY, 10**12, 10**11, 10**10)), POLICY).row(0, named=True)
    assert row["status"] == "scored"
    assert row["score_high"] - row["score_low"] < 1


def test_what_scores_are_asked_by():
    assert parse_by("user, sequence") == ("user_id", "sequence_id")
    assert parse_by(["user_id", "user"]) == ("user_id",)
    assert parse_by("all") == ()
    with pytest.raises(SelectionError, match="Did you mean 'sequence'"):
        parse_by("sequense")
    with pytest.raises(SelectionError, match="roster"):
        score(tally_rows(), POLICY, by="team")


def test_no_day_is_expected_that_never_comes():
    """Six a week never fill a window of twelve weeks up to 100; and years ahead is no forecast."""
    weeks = [MONDAY + dt.timedelta(weeks=w) for w in range(12)]
    slow = tally_rows(*(("7", "1", day, 6, 0, 0) for day in weeks))
    last = weeks[-1] + dt.timedelta(days=6)
    assert score(slow, POLICY, as_of=last, window_days=84)["expected_on"].item() is None
    assert score(slow, POLICY, as_of=last)["expected_on"].item() is not None
    one = tally_rows(("7", "1", MONDAY, 1, 0, 0))
    assert score(one, POLICY, as_of=MONDAY)["expected_on"].item() is None
