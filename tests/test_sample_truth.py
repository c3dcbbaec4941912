"""The planted truth, found in the export with plain polars."""

from __future__ import annotations

import math

import polars as pl
import pytest

from senderscore_nb.policy import load_policy
from senderscore_nb.sample import (
    NULL_FACTORS,
    SENDERS,
    SEQUENCES,
    WEEKS,
)
from senderscore_nb.sample.account import MOST_SENDS, SENDS_DECAY
from tests.sample_frames import (
    BOUNCED,
    PLANTED,
    REPLIED,
    levels_apart,
    mantel_haenszel,
    rate,
    z_of_difference,
)


def test_overall_rates_are_usual(settled: pl.DataFrame) -> None:
    assert 0.08 < rate(settled)[0] < 0.1
    assert 0.015 < settled.select(BOUNCED.mean()).item() < 0.025


def test_bounces_climb_because_of_one_source(export: pl.DataFrame) -> None:
    bad = PLANTED.bad_list
    assert bad is not None
    known = export.filter(pl.col("week").is_between(1, WEEKS - 1))  # a bounce is known in days
    listed = known.filter(pl.col("Contact source") == bad.source)
    assert listed["Enrolled by ID"].unique().to_list() == [bad.user_id]
    assert listed["week"].min() == bad.first_week
    hers = known.filter(pl.col("Enrolled by ID") == bad.user_id)
    since = hers.filter(pl.col("week") >= bad.first_week)
    assert listed.height / since.height == pytest.approx(bad.share, abs=0.05)

    others = since.filter(pl.col("Contact source") != bad.source).select(BOUNCED.mean()).item()
    before = hers.filter(pl.col("week") < bad.first_week).select(BOUNCED.mean()).item()
    stated = next(s.bounce_rate for s in SENDERS if s.user_id == bad.user_id)
    assert others == pytest.approx(stated, abs=0.01)
    assert before == pytest.approx(stated, abs=0.01)

    half = (bad.first_week + WEEKS - 1) / 2
    early, late = (
        listed.filter(test).select(BOUNCED.mean()).item()
        for test in (pl.col("week") < half, pl.col("week") > half)
    )
    assert early > 3 * stated
    assert late > early + 0.04
    expected = [bad.first_rate + bad.weekly_rise * (w - bad.first_week) for w in listed["week"]]
    error = math.sqrt(sum(p * (1 - p) for p in expected))
    assert abs(listed.select(BOUNCED.sum()).item() - sum(expected)) < 3 * error


def test_a_sequence_wears_out_and_no_other_does(settled: pl.DataFrame) -> None:
    decay = PLANTED.decay
    assert decay is not None
    steady = settled.filter(pl.col("Enrolled by ID").is_in(["1015", "1016"]).not_())
    for sequence in SEQUENCES:
        mine = steady.filter(pl.col("Sequence ID") == sequence.sequence_id)
        if sequence.sequence_id in ("306", "307"):  # their senders' shares moved
            mine = mine.filter(pl.col("Enrolled by ID") != "1007")
        blocks = [mine.filter((pl.col("week") - 1) // 7 == block) for block in range(5)]
        z = z_of_difference(blocks[0], blocks[-1])
        if sequence.sequence_id != decay.sequence_id:
            assert abs(z) < 3.5, sequence
            continue
        assert z < -4.5
        rates = [rate(block)[0] for block in blocks]
        assert rates == sorted(rates, reverse=True)
        odds = [math.log(p / (1 - p)) for p in rates]
        assert (odds[-1] - odds[0]) / 28 == pytest.approx(decay.slope, abs=0.015)


def test_tokens_have_their_odds_ratio_everywhere(settled: pl.DataFrame) -> None:
    rows = settled.filter(~BOUNCED).with_columns(
        tokens=pl.col("Personalization tokens") > 0, block=(pl.col("week") - 1) // 7
    )
    strata = ["Enrolled by ID", "Sequence ID", "block"]
    truth = PLANTED.tokens_odds_ratio
    assert mantel_haenszel(rows, strata) == pytest.approx(truth, rel=0.1)
    for half in (pl.col("week") <= 17, pl.col("week") > 17):
        assert mantel_haenszel(rows.filter(half), strata) == pytest.approx(truth, rel=0.15)


def test_only_the_mix_moves_one_senders_score(export: pl.DataFrame, settled: pl.DataFrame) -> None:
    shift = PLANTED.mix_shift
    assert shift is not None
    hers = settled.filter(pl.col("Enrolled by ID") == shift.user_id)
    before = hers.filter(pl.col("week") < shift.first_week)
    after = hers.filter(pl.col("week") >= shift.first_week)
    assert z_of_difference(before, after) < -5
    for sequence_id, share in shift.mix:
        mine = pl.col("Sequence ID") == sequence_id
        assert after.select(mine.mean()).item() == pytest.approx(share, abs=0.05)
        assert before.select(mine.mean()).item() == pytest.approx(1 - share, abs=0.05)
        assert abs(z_of_difference(before.filter(mine), after.filter(mine))) < 2.5
    ended = export.filter(pl.col("Enrolled by ID") == shift.user_id)
    then, now = (
        scores(ended.filter(pl.col("ended_week").is_between(*weeks)))["score"].item()
        for weeks in ((shift.first_week - 12, shift.first_week - 1), (WEEKS - 11, WEEKS))
    )
    assert now < then - 10


def scores(rows: pl.DataFrame) -> pl.DataFrame:
    policy = load_policy("hubspot-article")
    reply = REPLIED.sum() / (~BOUNCED).sum()
    points = policy.reply_points.points(reply) + policy.bounce_points.points(BOUNCED.mean())
    return (
        rows.drop_nulls("Ended at")
        .group_by("Enrolled by ID")
        .agg(n=pl.len(), score=points)
        .with_columns(band=policy.band(pl.col("score")))
    )


def test_all_bands_occur_in_the_last_twelve_weeks(export: pl.DataFrame) -> None:
    recent = scores(export.filter(pl.col("ended_week") > WEEKS - 12)).filter(pl.col("n") >= 100)
    assert set(recent["band"]) == {"Low", "Fair", "Good", "Excellent"}


def test_one_sender_is_on_a_bands_edge(export: pl.DataFrame, settled: pl.DataFrame) -> None:
    recent = scores(export.filter(pl.col("ended_week") > WEEKS - 12))
    assert recent.filter(pl.col("Enrolled by ID") == "1004")["score"].item() == pytest.approx(
        70, abs=1.5
    )
    mine = settled.filter(pl.col("Enrolled by ID") == "1004")
    p, error = rate(mine)
    assert abs(p - 0.07) < 3 * error
    assert abs(mine.select(BOUNCED.mean()).item() - 0.03) < 3 * math.sqrt(0.03 / mine.height)


def test_new_unpaid_and_departed_senders(export: pl.DataFrame) -> None:
    ended = dict(export.drop_nulls("Ended at").group_by("Enrolled by ID").agg(pl.len()).iter_rows())
    assert 60 <= ended["1016"] <= 80
    assert min(n for user, n in ended.items() if user != "1016") > 1_000
    assert ended["1010"] > 3_000
    weeks = export.group_by("Enrolled by ID").agg(
        pl.col("week").min().alias("first"), pl.col("week").max().alias("last")
    )
    span = {user: (first, last) for user, first, last in weeks.iter_rows()}
    assert span["1016"] == (36, WEEKS)
    assert span["1015"][1] == 29


def test_null_factors_have_no_effect_and_tokens_are_seen_by_the_same_test(
    settled: pl.DataFrame,
) -> None:
    label = {"lifecycle_stage": "Lifecycle stage", "template_id": "Template ID"}
    label |= {"segment": "Segment", "recipient_domain": "Domain"}
    rows = settled.with_columns(
        Domain=pl.col("Recipient email").str.extract(r"@(.*)$"),
        tokens=pl.col("Personalization tokens") > 0,
    )
    delivered = rows.filter(~pl.col("bounced"))
    clean = rows.filter(pl.col("Contact source") != "Purchased list")
    for name in NULL_FACTORS:
        assert levels_apart(delivered, label[name], "replied") < 3.5, name
        assert levels_apart(rows, label[name], "bounced") < 3.5, name
    assert levels_apart(delivered, "Contact source", "replied") < 3.5
    assert levels_apart(clean, "Contact source", "bounced") < 3.5
    assert levels_apart(rows, "tokens", "bounced") < 3.5
    assert levels_apart(delivered, "tokens", "replied") > 6
    assert levels_apart(rows, "Contact source", "bounced") > 6


def test_contacts_that_bounced_before_bounce_again_and_reply_as_others(
    settled: pl.DataFrame,
) -> None:
    rows = settled.with_columns(
        tokens=pl.col("Previously bounced"), listed=pl.col("Contact source") == "Purchased list"
    )
    strata = ["Enrolled by ID", "listed"]
    ratio = mantel_haenszel(rows.with_columns(replied=pl.col("bounced")), strata)
    assert ratio == pytest.approx(PLANTED.past_bounce_odds_ratio, rel=0.15)
    assert levels_apart(rows.filter(~pl.col("bounced")), "Previously bounced", "replied") < 3.5
    assert 0.015 < rows["Previously bounced"].mean() < 0.03


def test_contacts_that_do_not_engage_reply_less_and_bounce_as_others(
    settled: pl.DataFrame,
) -> None:
    sends = pl.col("Sends since last engagement")
    rows = settled.with_columns(tokens=sends >= 8).filter((sends < 4) | (sends >= 8))
    weights = [SENDS_DECAY**n for n in range(MOST_SENDS + 1)]
    odds = [w * PLANTED.sends_odds_ratio**n for n, w in enumerate(weights)]
    expected = sum(odds[8:]) / sum(weights[8:]) / (sum(odds[:4]) / sum(weights[:4]))
    ratio = mantel_haenszel(rows.filter(~BOUNCED), ["Enrolled by ID", "Sequence ID"])
    assert ratio == pytest.approx(expected, rel=0.08)
    assert levels_apart(rows, "tokens", "bounced") < 3.5
    assert levels_apart(rows.filter(~BOUNCED), "tokens", "replied") > 6
