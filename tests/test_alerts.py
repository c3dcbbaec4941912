"""Alerts: what fires, stands and is over, week by week, and what never fires."""

from __future__ import annotations

import datetime as dt
import json
import re
import tomllib

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from senderscore_nb.account import open_account
from senderscore_nb.errors import RunError, SelectionError
from senderscore_nb.labels import Labels
from senderscore_nb.periods import Period
from senderscore_nb.policy import load_policy
from senderscore_nb.sample import WEEKS, monday
from senderscore_nb.schedule.alerts import Alert, AlertRule, evaluate
from senderscore_nb.score import score
from tests.conftest import MONDAY, ROOT, SAMPLE, tally_rows

POLICY = load_policy()
BOUNCES = AlertRule(name="bounces", metric="bounce_rate", above=0.05)
REPLIES = AlertRule(name="replies", metric="reply_rate", below=0.05)


def sunday(week):
    """The last day of a week, counted from 0."""
    return MONDAY + dt.timedelta(weeks=week, days=6)


def weekly(user, counts, *, sequence="1", start=0):
    """Tallies from (ended, replied, bounced) for each week, on its Wednesday."""
    days = [MONDAY + dt.timedelta(weeks=start + i, days=2) for i in range(len(counts))]
    return tally_rows(*((user, sequence, day, *row) for day, row in zip(days, counts, strict=True)))


def steady(weeks, row=(100, 8, 1)):
    return [row] * weeks


def run(rules, tallies, weeks, **options):
    """The alerts of each week, run one after the other as a schedule does."""
    standing, found = [], []
    for week in weeks:
        alerts = evaluate(rules, tallies, POLICY, end=sunday(week), standing=standing, **options)
        standing = [(alert.rule, alert.key) for alert in alerts if alert.state != "over"]
        found.append(alerts)
    return found


def states(found, key="7", rule="bounces"):
    return [
        next((a.state for a in alerts if (a.rule, a.key) == (rule, key)), None) for alerts in found
    ]


RISE = [*steady(30), *steady(6, (100, 8, 9)), *steady(8)]


def test_a_sustained_rise_fires_once_stands_and_is_over():
    found = run([BOUNCES], weekly("7", RISE), range(12, 44))
    assert states(found) == [
        *[None] * 20,
        "fired",
        *["standing"] * 4,
        "over",
        *[None] * 6,
    ]
    fired, over = found[20][0], found[25][0]
    assert (fired.value, fired.n, fired.limit, fired.label) == (0.07, 400, 0.05, "7")
    assert 0.04 < fired.low < fired.value < fired.high < 0.1
    assert fired.sentence.replace("\u00a0", " ") == (
        "Bounce rate of 7: 7.0 % (4.9–9.9 %) in the 4 weeks to 18 Oct 2026 (400 ended), above "
        "the limit of 5 % (which lies within the interval), and above what chance allows around "
        "the 1.0 % of the 26 weeks before; fired."
    )
    standing = found[22][0].sentence.replace("\u00a0", " ")
    assert standing.endswith("still above the limit of 5 % since 18 Oct 2026.")
    assert over.sentence.replace("\u00a0", " ").endswith(
        "no longer above the limit of 5 % (which lies within the interval); over."
    )


def test_a_limit_that_is_crossed_by_chance_fires_nothing():
    """4 % always: some windows lie above 4.5 %, as chance has it."""
    draw = np.random.default_rng(3).binomial(100, 0.04, 60)
    tallies = weekly("7", [(100, 8, int(b)) for b in draw])
    rule = BOUNCES.model_copy(update={"above": 0.045})
    crossed = [draw[i - 3 : i + 1].sum() > 18 for i in range(30, 60)]
    assert any(crossed)
    assert not any(run([rule], tallies, range(30, 60)))


def test_more_than_noise_alone_fires_nothing_either():
    rise = [*steady(30, (1000, 80, 2)), *steady(6, (1000, 80, 20))]
    assert not any(run([BOUNCES], weekly("7", rise), range(12, 36)))


def test_always_above_the_limit_is_no_change_but_may_be_compared_with_everyone():
    others = [weekly(str(i), steady(40)) for i in range(5)]
    tallies = pl.concat([weekly("7", steady(40, (100, 8, 8))), *others])
    everyone = AlertRule(name="all", metric="bounce_rate", above=0.05, against="everyone")
    found = run([BOUNCES, everyone], tallies, range(30, 40))
    assert states(found) == [None] * 10
    assert states(found, rule="all") == ["fired", *["standing"] * 9]
    assert "around everyone's 2.2\u00a0% of the 26 weeks before" in found[0][0].sentence
    assert [a.key for alerts in found for a in alerts] == ["7"] * 10


def test_too_short_a_past_fires_nothing_against_itself():
    rise = [*steady(7), *steady(6, (100, 8, 20))]
    assert not any(run([BOUNCES], weekly("7", rise), range(3, 10)))
    longer = [*steady(8), *steady(6, (100, 8, 20))]
    assert states(run([BOUNCES], weekly("7", longer), range(3, 13)))[8:] == ["fired", "standing"]


def test_a_fall_of_replies_fires_where_low_is_bad():
    fall = [*steady(30, (200, 20, 2)), *steady(6, (200, 2, 2))]
    found = run([REPLIES], weekly("7", fall), range(20, 36))
    assert states(found, rule="replies").count("fired") == 1
    first = next(alerts[0] for alerts in found if alerts)
    assert "below the limit" in first.sentence
    assert "below what chance allows" in first.sentence


def test_periods_in_a_row_wait_and_keep_their_windows_out_of_the_baseline():
    rule = AlertRule(name="bounces", metric="bounce_rate", above=0.05, periods=3)
    one, three = (run([r], weekly("7", RISE), range(28, 40)) for r in (BOUNCES, rule))
    assert states(three).index("fired") == states(one).index("fired") + 2
    fired = three[states(three).index("fired")][0]
    assert "the 1.0\u00a0% of the 26 weeks before" in fired.sentence
    assert "since 18 Oct 2026" in fired.sentence


def test_a_short_spike_is_not_three_periods_in_a_row():
    spike = [*steady(30), (100, 8, 25), *steady(8)]
    rule = AlertRule(name="bounces", metric="bounce_rate", above=0.05, periods=5)
    assert not any(run([rule], weekly("7", spike), range(28, 39)))
    assert states(run([BOUNCES], weekly("7", spike), range(28, 39))).count("fired") == 1


def test_below_the_minimum_nothing_changes():
    few = [*steady(30), *steady(4, (24, 2, 12))]
    assert not any(run([BOUNCES], weekly("7", few), range(33, 34)))
    stands = [("bounces", "7")]
    tallies = weekly("7", [*steady(30), *steady(4, (24, 2, 0))])
    (alert,) = evaluate([BOUNCES], tallies, end=sunday(33), standing=stands)
    assert (alert.state, alert.n) == ("standing", 96)
    assert "fewer than 100 ended" in alert.sentence
    assert "nothing changes" in alert.sentence
    enough = weekly("7", [*steady(30), *steady(4, (25, 2, 0))])
    (alert,) = evaluate([BOUNCES], enough, end=sunday(33), standing=stands)
    assert alert.state == "over"


def test_an_unknown_measure_is_no_alert_and_no_zero():
    unknown = weekly("7", [*steady(30), *steady(4, (100, 8, None))])
    below = AlertRule(name="below", metric="bounce_rate", below=0.05)
    replies = AlertRule(name="replies", metric="reply_rate", below=0.5)
    rating = AlertRule(name="score", metric="score", below=90)
    assert evaluate([BOUNCES, below, replies, rating], unknown, end=sunday(33)) == ()
    (alert,) = evaluate([BOUNCES], unknown, end=sunday(33), standing=[("bounces", "7")])
    assert (alert.state, alert.value, alert.low) == ("standing", None, None)
    assert "unknown" in alert.sentence
    never = weekly("7", [(100, None, None)] * 34)
    assert evaluate([BOUNCES, below, replies, rating], never, end=sunday(33)) == ()
    early = weekly("7", [*[(100, 8, None)] * 20, *steady(10), *steady(4, (100, 8, 9))])
    (alert,) = evaluate([BOUNCES], early, end=sunday(33))
    assert "of the 10 weeks before" in alert.sentence


def test_a_score_fires_with_the_rate_that_moved():
    rule = AlertRule(name="score", metric="score", below=70)
    rise = [*steady(30, (200, 24, 2)), *steady(6, (200, 24, 18))]
    found = run([rule], weekly("7", rise), range(20, 36))
    fired = next(alerts[0] for alerts in found if alerts)
    assert fired.state == "fired"
    assert "the bounce rate of " in fired.sentence
    assert "the reply rate of " not in fired.sentence
    end = sunday(20 + next(i for i, alerts in enumerate(found) if alerts))
    window = (
        weekly("7", rise)
        .filter(pl.col("day") > end - dt.timedelta(weeks=4))
        .filter(pl.col("day") <= end)
    )
    expected = score(window).row(0, named=True)
    got = (fired.value, fired.low, fired.high, fired.n)
    assert got == tuple(expected[name] for name in ("score", "score_low", "score_high", "ended"))


def test_a_score_near_its_limit_fires_nothing():
    rule = AlertRule(name="score", metric="score", below=99)
    rng = np.random.default_rng(8)
    counts = [
        (200, int(r), int(b))
        for r, b in zip(*rng.binomial(200, [[0.08], [0.02]], (2, 44)), strict=True)
    ]
    assert not any(run([rule], weekly("7", counts), range(30, 44)))


def test_a_good_score_may_be_told_too():
    rule = AlertRule(name="score", metric="score", above=80)
    rise = [*steady(30, (200, 12, 4)), *steady(6, (200, 40, 4))]
    fired = next(a[0] for a in run([rule], weekly("7", rise), range(20, 36)) if a)
    assert "the reply rate of " in fired.sentence
    assert "is above what chance allows" in fired.sentence


ROSTER = pl.DataFrame(
    {
        "user_id": ["7", "8", "9"],
        "user_name": ["Ann", "Bo", None],
        "team": ["North", "North", None],
        "paid_seat": [True, True, True],
    }
)


def test_scopes_add_up_and_are_named():
    tallies = pl.concat(
        [weekly("7", RISE), weekly("8", RISE, sequence="2"), weekly("9", steady(44))]
    )
    labels = Labels(
        pl.DataFrame({"user_id": ["7", "8"], "user_label": ["Zoe", "Ann"]}),
        pl.DataFrame({"sequence_id": ["2"], "sequence_label": ["Intro"]}),
    )
    rules = [
        AlertRule(name=scope, metric="bounce_rate", scope=scope, above=0.05)
        for scope in ("user", "team", "sequence", "everyone")
    ]
    alerts = evaluate(rules, tallies, end=sunday(33), roster=ROSTER, labels=labels)
    assert [(a.rule, a.key, a.label, a.n) for a in alerts] == [
        ("user", "8", "Ann", 400),
        ("user", "7", "Zoe", 400),
        ("team", "North", "North", 800),
        ("sequence", "2", "Intro", 400),
        ("everyone", "", "everyone", 1200),
    ]
    assert {a.scope for a in alerts} == {"user", "team", "sequence", "everyone"}


def test_every_scope_has_a_score():
    fall = [*steady(30, (200, 24, 2)), *steady(6, (200, 2, 18))]
    tallies = pl.concat([weekly("7", fall), weekly("8", fall)])
    rules = [
        AlertRule(name=scope, metric="score", scope=scope, below=60)
        for scope in ("user", "team", "sequence", "everyone")
    ]
    alerts = evaluate(rules, tallies, end=sunday(35), roster=ROSTER)
    assert [(a.rule, a.key) for a in alerts] == [
        *(("user", "7"), ("user", "8")),
        *(("team", "North"), ("sequence", "1"), ("everyone", "")),
    ]
    seatless = ROSTER.with_columns(paid_seat=pl.col("user_id") != "7")
    assert [a.key for a in evaluate(rules[:1], tallies, end=sunday(35), roster=seatless)] == ["8"]


def test_a_selection_narrows_what_is_watched():
    tallies = pl.concat([weekly("7", RISE), weekly("8", RISE)])
    rule = AlertRule.model_validate({**BOUNCES.model_dump(), "selection": {"users": ["8"]}})
    assert [a.key for a in evaluate([rule], tallies, end=sunday(33))] == ["8"]


@pytest.mark.parametrize("extra", [{"scope": "team"}, {"selection": {"teams": ["North"]}}])
def test_teams_need_a_roster(extra):
    rule = AlertRule(name="north", metric="bounce_rate", above=0.05, **extra)
    with pytest.raises(SelectionError, match=r"alerts\.north.*roster"):
        evaluate([rule], weekly("7", RISE), end=sunday(33))


def test_where_nothing_ends_any_more_it_is_over():
    (alert,) = evaluate(
        [BOUNCES], weekly("7", steady(30)), end=sunday(33), standing=[("bounces", "7")]
    )
    assert (alert.state, alert.n, alert.value) == ("over", 0, None)
    assert alert.sentence.endswith("nothing ended in the 4 weeks to 25 Oct 2026; over.")


def test_nothing_to_judge():
    empty = weekly("7", [])
    rules = [
        AlertRule(name=f"{m}-{s}".replace("_", "-"), metric=m, scope=s, above=0)
        for m in ("score", "bounce_rate", "reply_rate")
        for s in ("user", "team", "sequence", "everyone")
    ]
    assert evaluate(rules, empty, end=sunday(3), roster=ROSTER) == ()
    assert evaluate([], weekly("7", RISE), end=sunday(33)) == ()
    gone = evaluate(rules[:1], empty, end=sunday(3), standing=[("score-user", "7"), ("old", "7")])
    assert [(a.rule, a.key, a.state, a.n) for a in gone] == [("score-user", "7", "over", 0)]
    assert "nothing ended in the 4 weeks to" in gone[0].sentence


@pytest.mark.parametrize("every", ["day", "week", "month"])
def test_periods_are_days_weeks_or_months(every):
    counts = [*steady(40), *steady(20, (100, 8, 9))]
    rule = AlertRule(name="bounces", metric="bounce_rate", above=0.05, periods=2)
    period, standing, found = Period.of(every, sunday(44)), [], []
    for _ in range(4):
        alerts = evaluate(
            [rule], weekly("7", counts), end=period.end, standing=standing, every=every
        )
        standing = [(a.rule, a.key) for a in alerts]
        found += [a.state for a in alerts]
        period = period.later(1)
    assert found[0] == "fired"
    assert set(found[1:]) == {"standing"}


def test_a_hostile_name_stays_on_its_line():
    name = "<b>Ann</b>\n\x1b[31m" + "x" * 500
    (alert,) = evaluate([BOUNCES], weekly(name, RISE), end=sunday(33))
    assert alert.key == name
    assert len(alert.label) <= 60
    assert len(alert.sentence.splitlines()) == 1
    assert all(c.isprintable() or c in "\u00a0\u2009" for c in alert.sentence)


def test_a_value_is_shown_apart_from_its_limit():
    edge = [*steady(30, (1000, 80, 10)), *steady(4, (1000, 80, 50)), (1000, 80, 51)]
    (alert,) = evaluate([BOUNCES], weekly("7", edge), end=sunday(34))
    assert "5.03\u00a0% (4.39–5.75\u00a0%)" in alert.sentence


@given(st.lists(st.tuples(st.integers(0, 300), st.floats(0, 0.2)), min_size=20, max_size=30))
@settings(max_examples=10)
def test_whatever_happens_alerts_alternate_and_keep_the_minimum(history):
    counts = [(n, round(n * rate / 2), round(n * rate)) for n, rate in history]
    calm = weekly("7", steady(16), start=-16)
    tallies = pl.concat([calm, weekly("7", counts)])
    rules = [
        AlertRule(name="bounces", metric="bounce_rate", above=0.05, minimum=150),
        AlertRule(name="replies", metric="reply_rate", below=0.03, minimum=150, periods=2),
    ]
    found = run(rules, tallies, range(len(history)))
    window = tallies.group_by_dynamic("day", every="1w").agg(pl.col("ended").sum())
    ended = dict(window.iter_rows())
    for rule in rules:
        before = None
        for week, alerts in enumerate(found):
            state = states([alerts], rule=rule.name)[0]
            assert (state in ("standing", "over")) == (before in ("fired", "standing"))
            before = state
            alert = next((a for a in alerts if a.rule == rule.name), None)
            if alert is None:
                continue
            weeks = [MONDAY + dt.timedelta(weeks=week - i) for i in range(4)]
            assert alert.n == sum(ended.get(day, 0) for day in weeks)
            if state == "over" and alert.n == 0:
                continue
            if state != "standing":
                assert alert.n >= 150
                assert rule.crossed(alert.value) == (state == "fired")
            assert len(alert.sentence.splitlines()) == 1


@given(st.randoms(use_true_random=False), st.integers(28, 43))
@settings(max_examples=15)
def test_order_later_days_other_senders_and_finer_rows_change_nothing(random, week):
    rules = [BOUNCES, REPLIES, AlertRule(name="score", metric="score", below=70)]
    one = weekly("7", RISE)
    stands = [("replies", "7")]
    expected = evaluate(rules, one, end=sunday(week), standing=stands)
    finer = pl.concat([one, weekly("7", [(0, 0, 0)] * 44, sequence="2"), weekly("8", RISE)])
    places = list(range(finer.height))
    random.shuffle(places)
    got = evaluate(rules, finer[places], end=sunday(week), standing=stands)
    assert tuple(a for a in got if a.key == "7") == expected
    known = one.filter(pl.col("day") <= sunday(week))
    assert evaluate(rules, known, end=sunday(week), standing=stands) == expected


def test_senders_in_control_hardly_ever_fire_in_a_year():
    """docs/alerts.md: clumped weeks, and a limit that is always crossed."""
    senders, weeks, rng = 150, 82, np.random.default_rng(14)
    rate = rng.beta(0.08 * 49, 0.92 * 49, (senders, weeks))
    bounced = rng.binomial(100, rate)
    tallies = pl.concat(
        [weekly(str(u), [(100, 0, int(b)) for b in row]) for u, row in enumerate(bounced)]
    )
    rule = AlertRule(name="bounces", metric="bounce_rate", above=0)
    found = run([rule], tallies, range(29, weeks, 4))
    fired = {a.key for alerts in found for a in alerts if a.state == "fired"}
    assert len(fired) / senders <= 0.06


def test_the_samples_planted_rise_is_found_and_nothing_else():
    account = open_account(SAMPLE, timezone="Europe/Stockholm")
    everyone = AlertRule(name="all", metric="bounce_rate", above=0.05, against="everyone")
    standing, fired = [], []
    for week in range(1, WEEKS + 1):
        end = monday(week) + dt.timedelta(days=6)
        alerts = evaluate(
            [BOUNCES, everyone],
            account.tallies,
            account.policy,
            end=end,
            standing=standing,
            roster=account.roster,
            labels=account.labels,
        )
        standing = [(a.rule, a.key) for a in alerts if a.state != "over"]
        fired += [(a.rule, a.key, week, a.sentence) for a in alerts if a.state == "fired"]
    own = [entry for entry in fired if entry[0] == "bounces"]
    assert [key for _, key, *_ in own] == ["1003"]
    assert own[0][2] > 24
    assert ("bounces", "1003") in standing
    assert own[0][3].startswith("Bounce rate of Priya Raman: ")
    # Who was always above the limit has not changed, but differs from everyone.
    assert {"1003", "1011"} <= {key for rule, key, *_ in fired if rule == "all"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"above": 3}, "above: a rate is a fraction of 1, found 3; write 3 % as 0.03"),
        ({"above": None}, "above, below: give one of the two"),
        ({"below": 0.01}, "above, below: give one of the two"),
        ({"above": -0.1}, "above"),
        ({"above": float("nan")}, "above"),
        ({"above": True}, "above"),
        ({"above": "0.05"}, "above"),
        ({"metric": "opens"}, "metric"),
        ({"scope": "company"}, "scope"),
        ({"minimum": 0}, "minimum"),
        ({"periods": 0}, "periods"),
        ({"window_weeks": 0}, "window_weeks"),
        ({"baseline_weeks": 7}, "baseline_weeks"),
        ({"against": "others"}, "against"),
        ({"against": "everyone", "scope": "everyone"}, "against:"),
        ({"name": "../x"}, "name"),
        ({"selection": {"start": "2026-01-01"}}, "selection: start and end follow"),
        ({"selection": {"factors": {"segment": ["a"]}}}, r"selection\.factors"),
        ({"treshold": 1}, "treshold"),
    ],
)
def test_a_wrong_rule_names_its_key(change, message):
    with pytest.raises(ValidationError, match=message):
        AlertRule.model_validate(BOUNCES.model_dump() | change)


def test_a_whole_number_is_a_limit_too():
    assert AlertRule(name="a", metric="score", below=70).limit == 70.0
    assert AlertRule(name="a", metric="bounce_rate", above=0).side == "above"


def test_alerts_survive_the_ledger():
    found = run([BOUNCES], weekly("7", RISE), range(32, 39))
    alerts = [alert for week in found for alert in week]
    gone = evaluate([BOUNCES], weekly("7", []), end=sunday(1), standing=[("bounces", "7")])
    for alert in (*alerts, *gone):
        kept = json.loads(json.dumps(alert.to_dict()))
        assert Alert.from_dict(kept | {"new": 1}) == alert
    with pytest.raises(RunError, match="'state'"):
        Alert.from_dict({k: v for k, v in kept.items() if k != "state"})


def test_the_documented_rules_are_rules():
    page = (ROOT / "docs" / "alerts.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    rules = [AlertRule.model_validate(table) for table in tomllib.loads(block)["alerts"]]
    assert {rule.metric for rule in rules} == {"bounce_rate", "score"}
    assert {rule.against for rule in rules} == {"own past", "everyone"}
    for name in AlertRule.model_fields:
        assert f"`{name}`" in page
    evaluate(rules, weekly("7", RISE), end=sunday(33), roster=ROSTER)
