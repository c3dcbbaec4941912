"""The simulator: the contract, the true rates, and effects switched on and off."""

from __future__ import annotations

import datetime as dt
import math

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from senderscore_nb.contract import COLUMNS, REQUIRED, Enrollment
from senderscore_nb.errors import SelectionError
from senderscore_nb.sample import (
    NO_EFFECTS,
    SENDERS,
    SEQUENCES,
    WEEKS,
    Decay,
    Effects,
    Sender,
    monday,
    simulate,
    true_rates,
)
from tests.sample_frames import (
    PLANTED,
    mantel_haenszel,
)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**40),
    weeks=st.integers(1, 8),
    volume=st.sampled_from([0.0, 0.02, 0.3]),
    effects=st.sampled_from([PLANTED, NO_EFFECTS, Effects(decay=Decay("302", -1.0))]),
)
def test_simulated_enrollments_keep_the_contract(
    seed: int, weeks: int, volume: float, effects: Effects
) -> None:
    rows = simulate(seed, weeks=weeks, volume=volume, effects=effects)
    assert Enrollment.is_valid(rows.select(list(REQUIRED)))
    assert rows.schema == {name: COLUMNS[name] for name in rows.columns}
    active = rows.filter(pl.col("ended_on").is_null())
    assert active["end_reason"].null_count() == active.height
    assert not active["replied"].any()
    assert not active["bounced"].any()
    assert rows.filter(pl.col("ended_on") < monday(1, weeks=weeks)).is_empty()
    assert rows.equals(simulate(seed, weeks=weeks, volume=volume, effects=effects))


def test_the_export_holds_what_simulate_returns(export: pl.DataFrame) -> None:
    rows = simulate()
    assert rows["enrollment_id"].to_list() == export["Enrollment ID"].to_list()
    assert rows["replied"].sum() == export.filter(pl.col("Emails replied") > 0).height
    assert rows["bounced"].sum() == export["Emails bounced"].sum()
    assert rows["ended_on"].equals(export["Ended at"].dt.date().alias("ended_on"))
    assert rows["personalization_tokens"].sum() == export["Personalization tokens"].sum()


def test_true_rates_start_at_what_is_stated() -> None:
    before = true_rates(effects=Effects(decay=None)).filter(pl.col("week") <= 20)
    share = pl.col("share")
    means = before.group_by("user_id").agg(
        share=share.sum() / pl.col("week").n_unique(),
        reply=share.dot("reply_rate") / share.sum(),
        bounce=share.dot("bounce_rate") / share.sum(),
    )
    stated = {s.user_id: s for s in SENDERS}
    assert means.height == 15
    for user, total, reply, bounce in means.iter_rows():
        assert total == pytest.approx(1)
        assert reply == pytest.approx(stated[user].reply_rate, abs=1e-9)
        assert bounce == pytest.approx(stated[user].bounce_rate, abs=1e-9)


def test_simulated_rates_are_the_true_rates() -> None:
    """The sum of squared deviations over sender × sequence × block, against its chi-square."""
    rows = simulate(3, volume=4).with_columns(
        week=(pl.col("enrolled_on") - monday(1)).dt.total_days().floordiv(7) + 1
    )
    rows = rows.filter(pl.col("week").is_between(1, WEEKS - 5), pl.col("ended_on").is_not_null())
    keys = ["user_id", "sequence_id", "block"]
    joined = rows.join(true_rates(), on=["user_id", "sequence_id", "week"], how="inner")
    assert joined.height == rows.height
    joined = joined.with_columns(block=pl.col("week") // 12)
    for outcome, probability in (("replied", "reply_rate"), ("bounced", "bounce_rate")):
        taken = joined.filter(~pl.col("bounced")) if outcome == "replied" else joined
        p = pl.col(probability)
        cells = taken.group_by(keys).agg(
            pl.col(outcome).sum().alias("hits"), p.sum().alias("e"), (p * (1 - p)).sum().alias("v")
        )
        cells = cells.filter(pl.col("e") >= 5)
        chi = cells.select(((pl.col("hits") - pl.col("e")) ** 2 / pl.col("v")).sum()).item()
        assert cells.height > 60
        assert abs(chi - cells.height) < 4 * math.sqrt(2 * cells.height)


def test_each_effect_can_be_switched_off() -> None:
    rows = simulate(8, volume=2, effects=NO_EFFECTS)
    assert "Purchased list" not in set(rows["contact_source"])
    rows = rows.filter(pl.col("enrolled_on") <= dt.date(2026, 10, 1), ~pl.col("bounced"))
    rows = rows.with_columns(tokens=pl.col("personalization_tokens") > 0)
    ratio = mantel_haenszel(rows, ["user_id", "sequence_id"])
    assert ratio == pytest.approx(1, abs=0.1)
    chloe = true_rates(effects=NO_EFFECTS).filter(pl.col("user_id") == "1007")
    assert chloe.group_by("sequence_id").agg(pl.col("share").n_unique())["share"].max() == 1
    worn = true_rates(effects=NO_EFFECTS).filter(pl.col("sequence_id") == "308")
    assert worn["reply_rate"].n_unique() <= 3


def test_an_effect_leaves_other_senders_alone() -> None:
    with_list = simulate(2, effects=PLANTED).filter(pl.col("user_id") != "1003")
    without = simulate(2, effects=Effects(bad_list=None)).filter(pl.col("user_id") != "1003")
    kept = ["user_id", "sequence_id", "enrolled_on", "ended_on", "replied", "bounced"]
    assert with_list.select(kept).equals(without.select(kept))


def test_a_small_account_of_ones_own() -> None:
    me = Sender("7", "Me", "Us", 50, 0.2, 0.05, mix=(("301", 1.0),))
    rows = simulate(1, senders=[me], sequences=SEQUENCES[:1], weeks=10, effects=NO_EFFECTS)
    assert set(rows["user_id"]) == {"7"}
    assert 300 <= rows.height <= 700


def test_a_mix_of_an_unknown_sequence_is_refused() -> None:
    me = Sender("7", "Me", "Us", 50, 0.2, 0.05, mix=(("3O1", 1.0),))
    with pytest.raises(SelectionError, match=r"no sequence '3O1'.*Did you mean"):
        simulate(1, senders=[me])
