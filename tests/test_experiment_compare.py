"""Policies side by side: agreement as published, counts that add up, rules that are kept."""

from __future__ import annotations

import datetime as dt
import random

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.inter_rater import cohens_kappa

from senderscore_nb import Selection, open_account, score, tally
from senderscore_nb.errors import ContractError, PolicyError, SelectionError, SenderScoreError
from senderscore_nb.experiment import (
    Threshold,
    compare,
    differences,
    moved,
    thresholds,
    weighted_kappa,
)
from senderscore_nb.experiment.naming import policy_names
from senderscore_nb.policy import Band, CountingRules, load_policy, parse_policy
from senderscore_nb.sample import TIMEZONE
from tests.chart_frames import HOSTILE
from tests.conftest import MONDAY, SAMPLE
from tests.experiment_frames import POLICY, SENDERS, tallies_of
from tests.test_policy import policies

GOOD = Threshold.parse("bands.Good", POLICY)
STRICT = GOOD.set(POLICY, 78)
BY_START = POLICY.model_copy(
    update={"name": "by-start", "counting": CountingRules(date_basis="enrolled_on")}
)


@pytest.fixture(scope="module")
def account():
    return open_account(SAMPLE, timezone=TIMEZONE)


def test_weighted_kappa_of_cohen_1968():
    """Cohen 1968, Psychol Bull 70:213: weights 1, 3 and 6 of three diagnoses, kappa .348."""
    table = [[0.44, 0.07, 0.09], [0.05, 0.20, 0.05], [0.01, 0.03, 0.06]]
    weights = np.array([[0, 1, 3], [1, 0, 6], [3, 6, 0]], dtype=float)
    assert weighted_kappa(table, weights) == pytest.approx(0.348, abs=5e-4)
    assert weighted_kappa(table, "none") == pytest.approx(0.492, abs=5e-4)


def test_kappa_of_fleiss_cohen_and_everitt_1969():
    """Fleiss, Cohen & Everitt 1969, Psychol Bull 72:323: 200 diagnoses, kappa .429."""
    table = [[106, 10, 4], [22, 28, 10], [2, 12, 6]]
    assert weighted_kappa(table, "none") == pytest.approx(0.429, abs=5e-4)


@given(
    st.integers(2, 5).flatmap(
        lambda k: st.lists(
            st.lists(st.integers(0, 30), min_size=k, max_size=k), min_size=k, max_size=k
        )
    )
)
def test_weighted_kappa_agrees_with_statsmodels(table):
    counts = np.array(table, dtype=float)
    for name, theirs in (("linear", "linear"), ("quadratic", "quadratic")):
        got = weighted_kappa(counts, name)
        if got is not None:
            expected = cohens_kappa(counts, wt=theirs, return_results=False)
            assert got == pytest.approx(float(expected), abs=1e-9)
        else:
            assert counts.sum() == 0 or np.count_nonzero(counts.sum(0) + counts.sum(1)) == 1


@pytest.mark.parametrize(
    ("table", "weights"),
    [
        ([[1, 2]], "linear"),
        ([[1, -1], [0, 1]], "linear"),
        ([[1, float("inf")], [0, 1]], "linear"),
        ([[1, 0], [0, 1]], "cubic"),
        ([[1, 0], [0, 1]], np.ones((2, 2))),
        ([[1, 0], [0, 1]], np.zeros((3, 3))),
    ],
)
def test_what_is_no_table_of_agreement_is_refused(table, weights):
    with pytest.raises(SenderScoreError):
        weighted_kappa(table, weights)


def test_a_policy_agrees_with_itself():
    twins = compare(tallies_of(*SENDERS, (50, 4, 1)), [POLICY, POLICY])
    row = twins.agreement().row(0, named=True)
    assert [row[n] for n in ("senders", "same", "up", "down")] == [8, 1.0, 0.0, 0.0]
    assert [row[n] for n in ("kappa", "spearman", "kendall")] == pytest.approx([1, 1, 1])
    assert not twins.movers()["moves"].any()
    assert twins.names == (POLICY.name + f" v1 ({POLICY.fingerprint})", twins.names[0] + " #2")


@settings(max_examples=15)
@given(policies(), st.lists(st.sampled_from([*SENDERS, (50, 2, 1), (101, 0, 0)]), max_size=9))
def test_migrations_add_up(other, counts):
    """Rows sum to the bands under one policy, columns to those under the other, both to all."""
    found = compare(tallies_of(*counts), [POLICY, other])
    one, two = found.names
    matrix = found.migration()
    assert matrix["senders"].sum() == len(counts)
    for column, name in (("before", one), ("after", two)):
        sums = matrix.group_by(column).agg(pl.col("senders").sum()).filter(pl.col("senders") > 0)
        bands = found.now.filter(pl.col("policy") == name).group_by("state").len()
        assert dict(sums.iter_rows()) == dict(bands.iter_rows())
    back = found.migration(two, one)
    turned = back.select(before="after", after="before", senders="senders")
    columns = ["before", "after", "senders"]
    assert sorted(turned.iter_rows()) == sorted(matrix.select(columns).iter_rows())


def test_movers_turn_around_with_the_policies():
    found = compare(tallies_of(*SENDERS), [POLICY, STRICT])
    there, back = found.movers(), found.movers(*reversed(found.names))
    assert there["bands"].sum() == -back["bands"].sum() < 0
    down = there.filter("moves")
    assert set(down["state_before"]) == {"Good"}
    assert set(down["state"]) == {"Fair"}
    assert there["points"].abs().max() == 0
    assert there["rank"].to_list() == there["rank_before"].to_list()


def test_figures_are_those_of_score(account):
    chosen = Selection(start="2026-08-24", end="2026-11-15", teams=["Nordics"])
    found = compare(account, [POLICY, BY_START], selection=chosen)
    by_start = open_account(SAMPLE, timezone=TIMEZONE, policy=BY_START)
    for name, held in ((found.names[0], account), (found.names[1], by_start)):
        expected = score(held.select(chosen), held.policy, by="user", roster=held.roster)
        got = found.now.filter(pl.col("policy") == name)
        for column in ("user_id", "ended", "score", "score_low", "verdict"):
            assert got[column].to_list() == expected[column].to_list()
    assert "Priya Raman" in found.bands()["user_label"].to_list()


def test_tallies_serve_only_policies_that_count_alike(account):
    with pytest.raises(ContractError, match=r"counting\.date_basis: ended_on and enrolled_on"):
        compare(account.tallies, [POLICY, BY_START])
    rows = account.reading.accepted
    of_rows = compare(rows, [POLICY, BY_START], roster=account.roster).now.drop_nulls("score")
    of_account = compare(account, [POLICY, BY_START]).now.drop_nulls("score")
    assert of_rows["score"].to_list() == of_account["score"].to_list()
    ended = POLICY.model_copy(update={"counting": CountingRules(reply_denominator="ended")})
    assert compare(tally(rows), [POLICY, ended]).agreement().height == 1


def test_over_time_each_week_is_compared(account):
    found = compare(account, [POLICY, STRICT], weeks=4)
    rows = found.over_time()
    assert rows.height == 37
    last = rows["week"].max()
    bands = found.history.filter(pl.col("week") == last).drop_nulls("score")
    one, two = (bands.filter(pl.col("policy") == n).sort("user_id") for n in found.names)
    assert rows["senders"][-1] == one.height
    assert rows["same"][-1] == pytest.approx((one["place"] == two["place"]).mean())
    flips = found.flips()
    assert flips["policy"].to_list() == list(found.names)
    plain = []
    for _, mine in one.sort("user_id").group_by("user_id"):
        assert mine.height == 1
    for (policy,), rows_ in found.history.sort("user_id", "week").group_by(
        "policy", maintain_order=True
    ):
        pairs = changed = 0
        for _, weeks in rows_.group_by("user_id"):
            known = {r["week"]: r["place"] for r in weeks.iter_rows(named=True)}
            for week, place in known.items():
                before = known.get(week - dt.timedelta(days=7))
                if place is not None and before is not None:
                    pairs += 1
                    changed += place != before
        plain.append((policy, pairs, pytest.approx(changed / pairs)))
    assert sorted(flips.iter_rows()) == sorted(plain)


def test_without_history_there_is_none():
    found = compare(tallies_of(*SENDERS), [POLICY, STRICT])
    for ask in (found.over_time, found.flips):
        with pytest.raises(SenderScoreError, match="weeks=4"):
            ask()


def test_policies_with_other_bands_have_no_kappa_but_a_migration():
    two = POLICY.model_copy(
        update={"name": "two", "bands": (Band(name="No", lower=0), Band(name="Yes", lower=70))}
    )
    found = compare(tallies_of(*SENDERS), [POLICY, two])
    row = found.agreement().row(0, named=True)
    assert row["kappa"] is row["same"] is None
    assert row["spearman"] == pytest.approx(1)
    assert found.migration().height == 8
    assert found.movers()["bands"].null_count() == len(SENDERS)


def test_who_is_counted_by_one_policy_alone_is_there():
    manual = parse_policy(
        POLICY.to_toml().replace(
            "manual_and_error_count_as_ended = true", "manual_and_error_count_as_ended = false"
        )
    )
    rows = pl.DataFrame(
        {
            "enrollment_id": [str(i) for i in range(240)],
            "user_id": ["7"] * 120 + ["8"] * 120,
            "sequence_id": ["1"] * 240,
            "enrolled_on": [MONDAY] * 240,
            "ended_on": [MONDAY] * 240,
            "replied": [i % 10 == 0 for i in range(240)],
            "bounced": [False] * 240,
            "end_reason": ["finished"] * 120 + ["manual"] * 120,
        }
    )
    found = compare(rows, [POLICY, manual])
    assert found.bands().row(1)[-1] == "Nothing ended"
    gone = found.migration().filter((pl.col("after") == "Nothing ended") & (pl.col("senders") > 0))
    assert gone["who"].to_list() == ["8"]
    assert found.agreement()["senders"][0] == 1


def test_bands_and_policies_may_be_called_anything():
    names = [*HOSTILE[:4], "user_id", "Collecting"]
    edges = zip(names, (0, 20, 40, 60, 80, 90), strict=True)
    bands = [Band(name=n[:80], lower=e) for n, e in edges]
    odd = POLICY.model_copy(update={"name": "user_id", "bands": tuple(bands)})
    pattern = POLICY.model_copy(update={"name": "^.*$"})
    found = compare(tallies_of(*SENDERS, (50, 2, 1)), [odd, POLICY, pattern])
    assert found.bands().columns == ["user_id", odd.label, POLICY.name, "^.*$"]
    assert found.names[0] == odd.label
    wide = found.bands()
    assert wide.height == 9
    assert "Collecting (no score)" in wide[odd.label].to_list()
    assert found.migration()["senders"].sum() == 9


def test_nobody_and_one_sender():
    empty = tallies_of()
    found = compare(empty, [POLICY, STRICT], weeks=4)
    assert found.bands().is_empty()
    assert found.migration()["senders"].sum() == 0
    assert found.agreement()["kappa"].to_list() == [None]
    assert found.over_time().is_empty()
    one = compare(tallies_of(SENDERS[0]), [POLICY, STRICT]).agreement().row(0, named=True)
    assert (one["senders"], one["same"], one["spearman"]) == (1, 1.0, None)


def test_what_cannot_be_compared_is_said():
    with pytest.raises(PolicyError, match="No policy"):
        compare(tallies_of(*SENDERS), [])
    alone = compare(tallies_of(*SENDERS), POLICY)
    with pytest.raises(PolicyError, match="two are compared"):
        alone.migration()
    with pytest.raises(PolicyError, match="Did you mean 'hubspot-article'"):
        alone.migration("hubspot-artikle", "hubspot-article")
    with pytest.raises(SelectionError, match="roster"):
        compare(tallies_of(*SENDERS), [POLICY], selection=Selection(teams=["North"]))


@given(policies())
def test_every_threshold_is_found_by_its_name_and_set(policy):
    found = thresholds(policy)
    for threshold in found:
        value = threshold.get(policy)
        same = threshold.set(policy, value)
        assert same.model_copy(update={"name": policy.name}).fingerprint == policy.fingerprint
        named = [t for t in found if t.name.casefold() == threshold.name.casefold()]
        if len(named) == 1:
            assert Threshold.parse(f" {threshold.name.upper()} ", policy) == threshold


def test_a_moved_threshold_changes_that_number_alone():
    curve = Threshold.parse("reply.7%", POLICY)
    changed = moved(POLICY, {curve: 0.08, GOOD: 75})
    assert changed.reply_points.knots[1] == (0.08, 35)
    assert changed.bands[2].lower == 75
    assert changed.name == "hubspot-article-changed"
    assert changed.source.endswith("with reply.7% 8 % instead of 7 %, bands.Good 75 instead of 70")
    assert changed.bounce_points == POLICY.bounce_points
    again = GOOD.set(changed, 76)
    assert again.name == changed.name
    assert again.source.endswith("instead of 70, bands.Good 76 instead of 75")
    back = moved(changed, {curve: 0.07, GOOD: 70}).model_copy(update={"name": POLICY.name})
    assert back.fingerprint == POLICY.fingerprint


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("bands.Good", 95, "bands.Good cannot be 95: bands: lower edges must rise"),
        ("bands.Excellent", 101, "above the highest score"),
        ("reply.7%", 0.14, "reply.7% cannot be 14 %: rates must rise"),
        ("reply.7%.points", 46, "must not fall"),
        ("bounce.3%.points", 46, "must not rise"),
        ("minimum.user", 0, "greater than or equal to 1"),
        ("minimum.user", 99.5, "integer"),
        ("bands.Good", float("nan"), "finite"),
    ],
)
def test_an_invalid_value_is_refused_with_its_reason(name, value, says):
    with pytest.raises(PolicyError) as error:
        Threshold.parse(name, POLICY).set(POLICY, value)
    assert says in str(error.value)


def test_an_unknown_threshold_is_answered_with_the_nearest():
    with pytest.raises(PolicyError, match=r"Did you mean 'bands\.Good'"):
        Threshold.parse("band.Goo", POLICY)
    small = POLICY.model_copy(update={"bands": POLICY.bands[:2]})
    with pytest.raises(PolicyError, match=r"no threshold 'bands\.Good'"):
        GOOD.get(small)


def test_differences_name_each_number():
    changed = moved(POLICY, {Threshold.parse("reply.7%", POLICY): 0.08, GOOD: 75})
    changed = Threshold.parse("minimum.user", changed).set(changed, 50)
    rows = differences(POLICY, changed).rows()
    assert rows == [
        ("reply_points at 7 %", "35 points", None),
        ("reply_points at 8 %", None, "35 points"),
        ("band Good", "from 70", "from 75"),
        ("minimum.user", "100", "50"),
    ]
    assert differences(changed, POLICY).height == 4


@given(policies(), policies())
def test_there_are_differences_where_scores_can_differ(one, two):
    same = one.model_copy(update={"name": two.name, "version": two.version})
    assert differences(one, two).is_empty() == (same.fingerprint == two.fingerprint)
    assert differences(one, one).is_empty()


def test_names_of_policies_are_unique():
    several = [POLICY, STRICT, POLICY, load_policy(), GOOD.set(POLICY, 79)]
    names = policy_names(random.Random(1).sample(several, 5))
    assert len(set(names)) == 5
