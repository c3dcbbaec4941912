"""Many policies at once: the same as one by one, and thresholds against each other."""

from __future__ import annotations

import datetime as dt
import itertools

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from senderscore_nb.errors import PolicyError, SenderScoreError
from senderscore_nb.experiment import (
    Cells,
    Threshold,
    compare,
    sensitivity,
    sweep,
    thresholds,
    tornado,
    weighted_kappa,
)
from senderscore_nb.policy import CountingRules, Minimum, ScoringPolicy
from tests.conftest import MONDAY, tally_rows
from tests.experiment_frames import POLICY, SENDERS, tallies_of
from tests.test_policy import policies

COLUMNS = ("scored", "mean_score", "flips", "same", "up", "down", "kappa")


def plain_bands(cells: Cells, policy: ScoringPolicy) -> dict[tuple, tuple[int, float]]:
    """Band and score by cell, through the policy's own expressions."""
    of_ended = policy.counting.reply_denominator == "ended"
    total = pl.col("ended") if of_ended else pl.col("ended") - pl.col("bounced")
    points = policy.reply_points.points(pl.col("replied") / total)
    points += policy.bounce_points.points(pl.col("bounced") / pl.col("ended"))
    keys = [n for n in ("user_id", "week") if n in cells.frame.columns]
    rows = cells.frame.filter(pl.col("ended") >= policy.minimum.user).select(
        *keys, points.alias("score"), policy.band(points).to_physical().alias("place")
    )
    return {row[:-2]: (row[-1], row[-2]) for row in rows.iter_rows()}


def plain_sweep(cells: Cells, policy: ScoringPolicy, baseline: ScoringPolicy) -> dict:
    """The slow referee of a row of `sweep`."""
    own, base = plain_bands(cells, policy), plain_bands(cells, baseline)
    n, k = len(own), len(baseline.bands)
    both = [(base[c][0], own[c][0]) for c in own if c in base]
    pairs = [
        (own[c][0], own[after][0])
        for c in own
        if len(c) == 2 and (after := (c[0], c[1] + dt.timedelta(days=7))) in own
    ]
    table = np.zeros((k, k))
    for pair in both:
        table[pair] += 1
    shares = [sum(place == i for place, _ in own.values()) / n if n else None for i in range(k)]
    of_both = [[a == b for a, b in both], [a < b for a, b in both], [a > b for a, b in both]]
    same, up, down = (sum(x) / len(both) if both else None for x in of_both)
    return {
        "scored": n,
        "mean_score": sum(s for _, s in own.values()) / n if n else None,
        "flips": sum(a != b for a, b in pairs) / len(pairs) if pairs else None,
        "same": same,
        "up": up,
        "down": down,
        "kappa": weighted_kappa(table),
        **{f"share_{b.slug}": s for b, s in zip(baseline.bands, shares, strict=True)},
    }


@st.composite
def fields(draw):
    """Cells of some senders over some weeks, with holes, and policies with the same bands."""
    rows = draw(
        st.lists(
            st.tuples(st.integers(0, 3), st.integers(0, 6), st.integers(1, 40), st.floats(0, 1)),
            min_size=1,
            max_size=20,
            unique_by=lambda row: row[:2],
        )
    )
    frame = pl.DataFrame(
        {
            "user_id": [f"u{u}" for u, *_ in rows],
            "week": [MONDAY + dt.timedelta(weeks=w) for _, w, *_ in rows],
            "ended": [n + 1 for *_, n, _ in rows],
            "replied": [int(n * share / 2) for *_, n, share in rows],
            "bounced": [int(n * (1 - share) / 2) for *_, n, share in rows],
        }
    ).sort("user_id", "week")
    base = draw(policies())
    others = [base]
    for _ in range(draw(st.integers(1, 3))):
        other = draw(policies())
        others.append(
            base.model_copy(
                update={
                    "reply_points": other.reply_points,
                    "minimum": Minimum(user=draw(st.sampled_from([1, 5, 20, 500]))),
                    "counting": CountingRules(
                        reply_denominator=draw(st.sampled_from(["ended", "delivered"]))
                    ),
                }
            )
        )
    return Cells(frame), others


@settings(max_examples=60)
@given(fields())
def test_a_sweep_is_what_each_policy_does_by_itself(drawn):
    cells, several = drawn
    base = several[0].model_copy(update={"minimum": Minimum(user=5)})
    found = sweep(cells, several, baseline=base)
    for row, policy in zip(found.iter_rows(named=True), several, strict=True):
        expected = plain_sweep(cells, policy, base)
        assert set(expected) == set(row)
        for name, value in expected.items():
            assert row[name] == (value if value is None else pytest.approx(value, abs=1e-9)), name


def test_a_sweep_agrees_with_the_comparison_of_two_policies():
    tallies = tallies_of(*SENDERS)
    strict = Threshold.parse("bands.Good", POLICY).set(POLICY, 78)
    row = sweep(Cells.of(tallies), [strict], baseline=POLICY).row(0, named=True)
    known = compare(tallies, [POLICY, strict]).agreement().row(0, named=True)
    for name in ("same", "up", "down", "kappa"):
        assert row[name] == pytest.approx(known[name])
    assert row["flips"] is None


def test_more_policies_than_a_chunk_stay_in_their_order():
    cells = Cells.of(tallies_of(*SENDERS, weeks=6), weeks=1)
    good = Threshold.parse("bands.Good", POLICY)
    several = [good.set(POLICY, 41 + i / 4) for i in range(190)]
    found = sweep(cells, several, baseline=POLICY)
    alone = [sweep(cells, [one], baseline=POLICY).row(0) for one in several]
    assert found.rows() == alone
    assert sweep(cells, [], baseline=POLICY).is_empty()


def test_a_sweep_refuses_what_cannot_be_compared():
    cells = Cells.of(tallies_of(*SENDERS))
    fewer = POLICY.model_copy(update={"bands": POLICY.bands[:2]})
    by_start = POLICY.model_copy(update={"counting": CountingRules(date_basis="enrolled_on")})
    for other, says in ((fewer, "other bands"), (by_start, "counts differently")):
        with pytest.raises(PolicyError, match=says):
            sweep(cells, [other], baseline=POLICY)


def test_cells_leave_out_who_cannot_be_scored():
    rows = tally_rows(
        ("a", "1", MONDAY, 200, 20, 4),
        ("b", "1", MONDAY, 200, None, 4),
        ("c", "1", MONDAY, 200, 20, None),
        ("d", "1", MONDAY, 200, 0, 200),
        ("e", "1", MONDAY, 200, 20, 4),
    )
    roster = pl.DataFrame({"user_id": ["e"], "team": ["x"], "paid_seat": [False]})
    assert Cells.of(rows, roster=roster).frame["user_id"].to_list() == ["a"]
    with pytest.raises(SenderScoreError, match="No sender"):
        Cells.of(rows.filter(pl.col("user_id") == "b"))
    with pytest.raises(SenderScoreError, match="1 week"):
        Cells.of(rows, weeks=0)


def test_two_thresholds_over_a_grid():
    cells = Cells.of(tallies_of(*SENDERS, weeks=8), weeks=4)
    xs, ys = [60.0, 70.0, 80.0], [0.06, 0.07, 0.14]
    rows = sensitivity(cells, POLICY, "bands.Good", xs, "reply.7%", ys)
    assert [r[:2] for r in rows.rows()] == list(itertools.product(xs, ys))
    present = rows.filter((pl.col("x") == 70) & (pl.col("y") == 0.07)).row(0, named=True)
    assert (present["same"], present["kappa"], present["invalid"]) == (1, 1, None)
    wrong = rows.filter(pl.col("y") == 0.14)
    assert wrong["invalid"].str.contains("rates must rise").all()
    assert wrong["share_good"].null_count() == 3
    with pytest.raises(PolicyError, match="twice"):
        sensitivity(cells, POLICY, "bands.Good", xs, "bands.good", ys)


def test_bands_may_cross_on_the_way_to_a_valid_policy():
    """Both edges move at once: each alone would be refused."""
    cells = Cells.of(tallies_of(*SENDERS))
    rows = sensitivity(cells, POLICY, "bands.Good", [95.0], "bands.Excellent", [98.0])
    assert rows["invalid"][0] is None


def test_the_tornado_has_both_sides_of_every_threshold():
    cells = Cells.of(tallies_of(*SENDERS))
    rows = tornado(cells, POLICY, by=0.1)
    named = {t.name for t in thresholds(POLICY) if t.get(POLICY)} - {"minimum.sequence"}
    assert set(rows["threshold"]) == named
    assert rows.height == 2 * len(named)
    moves = rows.select(pl.max_horizontal(0.0, pl.col("up") + pl.col("down"))).to_series()
    widest = [max(moves[2 * i], moves[2 * i + 1]) for i in range(len(named))]
    assert widest == sorted(widest, reverse=True)
    good = {r["side"]: r for r in rows.iter_rows(named=True) if r["threshold"] == "bands.Good"}
    assert (good["low"]["shown"], good["high"]["shown"], good["low"]["present"]) == (
        "63",
        "77",
        "70",
    )
    assert good["low"]["net"] >= 0 >= good["high"]["net"]
    one = tornado(cells, POLICY, among=["bands.Good"])
    assert one["side"].to_list() == ["low", "high"]
    with pytest.raises(PolicyError, match="between 0 and 1"):
        tornado(cells, POLICY, by=1)


def test_a_side_that_is_no_policy_says_why():
    cells = Cells.of(tallies_of(*SENDERS))
    rows = tornado(cells, POLICY, by=0.5, among=["bands.Good"])
    assert "must rise" in rows.filter(pl.col("side") == "low")["invalid"][0]
    assert rows.filter(pl.col("side") == "low")["net"][0] is None
