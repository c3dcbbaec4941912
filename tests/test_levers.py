"""Levers and contact lists: the sample's story, laws, and what the data cannot support."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner

from benchmarks.validation.factors import study
from benchmarks.validation.factors_truth import Truth
from senderscore_nb.cli import main
from senderscore_nb.drivers import LeverSettings, contact_list, lever_sentences, levers
from senderscore_nb.drivers.factors_estimate import Estimate
from senderscore_nb.drivers.factors_fit import expit
from senderscore_nb.drivers.levers_measured import with_levers
from senderscore_nb.drivers.levers_plan import LEVERS, STATUSES, Plan, lever_named
from senderscore_nb.drivers.levers_rates import POINTS, Parts, after_lever, posterior
from senderscore_nb.drivers.levers_worth import WORTH
from senderscore_nb.errors import SelectionError, SenderScoreError
from senderscore_nb.policy import load_policy
from senderscore_nb.sample import NO_EFFECTS, SENDERS, Effects, simulate
from senderscore_nb.selection import Selection
from tests.conftest import SAMPLE

POLICY = load_policy()
ROSTER = pl.DataFrame(
    {"user_id": [s.user_id for s in SENDERS], "team": [s.team for s in SENDERS],
     "paid_seat": [s.paid_seat for s in SENDERS]}
)  # fmt: skip


@pytest.fixture(scope="module")
def rows() -> pl.DataFrame:
    return simulate()


@pytest.fixture(scope="module")
def everyone(rows: pl.DataFrame) -> pl.DataFrame:
    return levers(rows, POLICY)


@pytest.fixture(scope="module")
def by_user(rows: pl.DataFrame) -> pl.DataFrame:
    return levers(rows, POLICY, by="user", roster=ROSTER)


def lever(worths: pl.DataFrame, key: str, **keys: str) -> dict[str, object]:
    return worths.filter(lever=key, **keys).row(0, named=True)


def test_every_piece_of_advice_is_a_lever_with_a_status(everyone: pl.DataFrame) -> None:
    assert everyone["lever"].sort().to_list() == sorted(one.key for one in LEVERS)
    assert set(everyone["status"]) <= set(STATUSES)
    assert everyone.columns == [*WORTH, "rank"]
    assert everyone["rank"].to_list() == list(range(1, len(LEVERS) + 1))
    supported = everyone.filter(status="supported")
    assert set(supported["lever"]) == {"tokens", "sequences", "unengaged", "hard-bounced", "source"}
    assert supported["rank"].max() == supported.height
    assert supported["score_change"].is_sorted(descending=True)
    for key in ("segments", "content"):
        assert lever(everyone, key)["status"] == "no_effect_shown"
    assert lever(everyone, "opted-out")["status"] == "too_few"
    assert all(everyone["reason"].str.len_chars() > 20)


def test_the_bad_list_is_worth_most_to_the_sender_who_uses_it(by_user: pl.DataFrame) -> None:
    priya = by_user.filter(user_id="1003").sort("rank")
    assert priya["lever"][0] == "source"
    assert priya["levels"][0] == "Purchased list"
    assert priya["band"][0] == "Fair"
    assert priya["band_expected"][0] == "Good"
    assert priya["p_better_band"][0] > 0.9
    assert priya["bounce_rate_change"][0] < -0.03
    others = by_user.filter(pl.col("user_id") != "1003", lever="source")
    assert (others["touched"] == 0).all()
    assert (others["score_change"].fill_null(0) == 0).all()


def test_the_changes_are_the_true_ones(rows: pl.DataFrame, everyone: pl.DataFrame) -> None:
    last = rows["ended_on"].max()
    assert isinstance(last, dt.date)
    inside = rows.filter(pl.col("ended_on") > last - dt.timedelta(weeks=12))
    truth = Truth.of(inside, Effects())
    tokens, past = lever(everyone, "tokens"), lever(everyone, "hard-bounced")
    assert tokens["reply_rate_change_low"] < truth.token_change() < tokens["reply_rate_change_high"]
    assert past["bounce_rate_change_low"] < truth.past_change() < past["bounce_rate_change_high"]
    assert past["touched"] == inside["previously_bounced"].sum()
    assert tokens["touched"] == (inside["personalization_tokens"] == 0).sum()


def test_what_has_no_effect_is_not_supported() -> None:
    found = levers(simulate(4, volume=0.5, effects=NO_EFFECTS), POLICY)
    shown = set(found.filter(status="supported")["lever"])
    assert shown <= {"sequences"}  # sequences differ in strength, planted or not


def test_what_the_data_does_not_have_is_said(rows: pl.DataFrame) -> None:
    few = rows.drop("segment", "contact_source", "sends_since_engagement", "contact_id")
    found = levers(few.drop("previously_bounced"), POLICY)
    for key in ("segments", "source", "unengaged", "hard-bounced", "opted-out"):
        row = lever(found, key)
        assert (row["status"], row["touched"]) == ("not_in_data", None)
        assert "no column" in str(row["reason"])
    empty = levers(rows.clear(), POLICY)
    assert set(empty["status"]) <= {"not_in_data", "too_few"}
    unknown = levers(rows.with_columns(bounced=pl.lit(None, pl.Boolean)), POLICY)
    assert unknown["bounce_rate_change"].null_count() == unknown.height


def test_teams_and_selections(rows: pl.DataFrame) -> None:
    rows = rows.filter(pl.col("enrolled_on") >= dt.date(2026, 5, 1))
    teams = levers(rows, POLICY, by="team", roster=ROSTER)
    assert set(teams["team"]) == {"Nordics", "Central", "Overseas"}
    chosen = levers(rows, POLICY, by="user", roster=ROSTER, selection=Selection(teams=["Central"]))
    assert set(chosen["user_id"]) == {s.user_id for s in SENDERS if s.team == "Central"}
    one = levers(rows, POLICY, selection=Selection(users=["1003"], start="2026-10-01"))
    mine = rows.filter(pl.col("user_id") == "1003", pl.col("ended_on") >= dt.date(2026, 10, 1))
    assert one["ended"].unique().to_list() == [mine.height]
    with pytest.raises(SelectionError):
        levers(rows, POLICY, by="team")
    with pytest.raises(SelectionError, match="no team 'Nord'"):
        levers(rows, POLICY, roster=ROSTER, selection=Selection(teams=["Nord"]))
    with pytest.raises(SelectionError, match="no factor"):
        levers(rows, POLICY, selection=Selection(factors={"x": ["y"]}))


def test_collecting_and_unpaid_senders_have_rates_but_no_points(by_user: pl.DataFrame) -> None:
    for user in ("1016", "1010"):
        row = lever(by_user, "tokens", user_id=user)
        assert row["score"] is row["score_change"] is row["p_better_band"] is None
        assert row["reply_rate_change"] > 0


def plan_of(kind: str, odds: list[float], targets: dict[str, tuple[str, ...]]) -> Plan:
    key = "tokens" if kind == "change" else "hard-bounced"
    labels = tuple(str(i) for i in range(len(odds)))
    estimate = Estimate(
        "f", "replied", "estimated", labels=labels, log_odds=np.array(odds),
        spread=np.zeros((len(odds), len(odds))),
    )  # fmt: skip
    return Plan(lever_named(key), "supported", "", ("0",), targets, {"replied": estimate})


@pytest.mark.parametrize("kind", ["change", "suppress"])
def test_a_lever_does_to_a_rate_what_the_arithmetic_says(kind: str) -> None:
    """One part, a known odds ratio: the mean of the levels is the rate, before and after."""
    plan = plan_of(kind, [-0.5, 0.3], {"0": ("1",)} if kind == "change" else {})
    now = posterior(np.array([80.0]), np.array([1000.0]), 0)
    parts = Parts(np.array([0]), np.array([[400.0, 600.0]]), np.array([80.0]))
    after = after_lever(now, parts, plan, plan.estimates["replied"], 0)
    assert after.shape == now.shape == (1, POINTS)
    base = np.log(after / (1 - after)) - 0.3  # either way only the second level's odds are left
    assert 0.4 * expit(base - 0.5) + 0.6 * expit(base + 0.3) == pytest.approx(now, abs=1e-8)
    untouched = Parts(np.array([0]), np.array([[0.0, 600.0]]), np.array([48.0]))
    assert np.array_equal(after_lever(now, untouched, plan, plan.estimates["replied"], 0), now)
    nothing_left = Parts(np.array([0]), np.array([[400.0, 0.0]]), np.array([48.0]))
    if kind == "suppress":
        same = after_lever(now, nothing_left, plan, plan.estimates["replied"], 0)
        assert np.array_equal(same, now)


def test_senders_who_differ_are_not_taken_together() -> None:
    """All that a lever touches is of a sender with a low rate: it is worth what it is to her."""
    plan = plan_of("change", [-0.4, 0.4], {"0": ("1",)})
    now = posterior(np.array([220.0]), np.array([2000.0]), 0)
    parts = Parts(
        np.array([0, 0]), np.array([[1000.0, 0.0], [0.0, 1000.0]]), np.array([20.0, 200.0])
    )
    after = after_lever(now, parts, plan, plan.estimates["replied"], 0)
    assert (after - now).mean() == pytest.approx(0.5 * (0.0205 * 2.2 - 0.0205), abs=0.004)


def test_the_posterior_is_the_beta_distribution() -> None:
    """Jeffreys: the mean and the limits of Beta(k + ½, n − k + ½)."""
    from scipy.stats import beta

    drawn = posterior(np.array([30.0]), np.array([400.0]), 1)[0]
    assert drawn.mean() == pytest.approx(30.5 / 401, rel=0.005)
    for level in (0.05, 0.5, 0.95):
        assert np.quantile(drawn, level) == pytest.approx(beta(30.5, 370.5).ppf(level), rel=0.01)


def test_the_words_of_a_sender(by_user: pl.DataFrame) -> None:
    said = lever_sentences(by_user.filter(user_id="1003"))
    assert said[0].startswith("Leave out contact sources that bounce more: 467 of 1,354")
    assert "points of score" in said[0]
    assert "a better band with a probability of" in said[0]
    assert any(line.startswith("No effect shown: ") for line in said)
    assert "associations" in said[-1]
    nothing = lever_sentences(by_user.filter(user_id="1003").filter(status="too_few"))
    assert nothing[0] == "No lever is shown to be worth anything here."


def test_the_study_finds_what_it_claims() -> None:
    """A few accounts: what is planted is found, and most intervals cover."""
    found = {one.claim: one for one in study(2, seed=11)}
    planted = found["planted factors called certain, of all planted ones"]
    assert (planted.measured, planted.trials) == (1.0, 3)
    assert len(found) == 11
    null = found["… of levels of factors without effect"]
    assert null.trials > 150
    assert null.measured > 0.88


def people(**columns: object) -> pl.DataFrame:
    day = dt.date(2026, 11, 2)
    size = max(len(v) for v in columns.values() if isinstance(v, list))
    base = {
        "enrollment_id": [str(i) for i in range(size)],
        "user_id": ["7"] * size,
        "sequence_id": ["1"] * size,
        "enrolled_on": [day + dt.timedelta(days=i) for i in range(size)],
        "ended_on": [day + dt.timedelta(days=i) for i in range(size)],
        "replied": [False] * size,
        "bounced": [False] * size,
    }
    return pl.DataFrame({**base, **columns})


def test_bounced_contacts_are_listed_once_with_their_reasons() -> None:
    frame = people(
        contact_id=["5", "5", "12", "9", None, "3"],
        bounced=[True, False, True, False, True, False],
        bounce_type=["hard", None, "soft", None, None, None],
        end_reason=["bounced", "finished", "bounced", "blocked", "bounced", "finished"],
        contact_email=["a@x.example", None, None, None, " B@x.example ", None],
    )
    listed = contact_list(frame, "hard-bounced")
    assert listed["Record ID"].to_list() == ["5", "9", None]
    assert listed["Email"].to_list() == ["a@x.example", None, "B@x.example"]
    first = listed["Reason"][0]
    assert first.split("; ") == ["bounced in this account", "had bounced before it was enrolled"]
    assert listed["Reason"][1] == "refused before sending"
    assert listed["Last enrolled"][0] == dt.date(2026, 11, 3)


def test_opted_out_and_unengaged_contacts() -> None:
    frame = people(
        contact_id=["1", "2", "3", "3", "4"],
        unsubscribed=[True, False, False, False, False],
        opted_out=[False, True, False, False, False],
        sends_since_engagement=[20, 3, 30, 2, 15],
        opened=[False, False, False, False, True],
    )
    assert contact_list(frame, "opted-out")["Record ID"].to_list() == ["1", "2"]
    # The third has engaged since, the fourth opened.
    assert contact_list(frame, "unengaged")["Record ID"].to_list() == ["1"]
    few = LeverSettings(unengaged_from=2)
    assert contact_list(frame, "unengaged", settings=few)["Record ID"].to_list() == ["1", "2", "3"]
    assert with_levers(frame, few).collect()["unengaged"].to_list() == [True] * 5


def test_the_contacts_of_a_level_are_those_it_touches(rows: pl.DataFrame) -> None:
    listed = contact_list(rows, "source", POLICY)
    inside = rows.filter(pl.col("contact_source") == "Purchased list")
    window = pl.col("enrolled_on") > dt.date(2026, 11, 15) - dt.timedelta(weeks=12)
    assert listed["Record ID"].is_unique().all()
    assert set(listed["Record ID"]) == set(inside.filter(window)["contact_id"])
    assert contact_list(rows, "segments", POLICY).is_empty()
    mine = contact_list(rows, "tokens", POLICY, selection=Selection(users=["1005"]))
    assert set(mine["Record ID"]) <= set(rows.filter(pl.col("user_id") == "1005")["contact_id"])


def test_data_without_contacts_or_column_says_what_to_map(rows: pl.DataFrame) -> None:
    with pytest.raises(SenderScoreError, match="does not say who the contacts are"):
        contact_list(rows.drop("contact_id"), "hard-bounced")
    with pytest.raises(SenderScoreError, match=r"Did you mean 'hard-bounced'"):
        contact_list(rows, "hard-bounce")
    with pytest.raises(SenderScoreError, match="sends_since_engagement"):
        contact_list(rows.drop("sends_since_engagement"), "unengaged")
    with pytest.raises(SenderScoreError, match="Map a header to contact_source"):
        contact_list(rows.drop("contact_source"), "source")


def test_a_list_is_safe_in_a_spreadsheet(tmp_path) -> None:
    frame = people(
        contact_id=["=1+1", "@x", "7"],
        bounced=[True, True, True],
        contact_email=["=HYPERLINK(1)", "a@b.example", "\t-1"],
    )
    frame.write_csv(tmp_path / "data.csv")
    text = """
    name = "own"
    extends = "canonical"
    [columns]
    contact_email = ["contact_email"]
    """
    (tmp_path / "own.toml").write_text(text)
    out = tmp_path / "suppress.csv"
    command = ["contacts", str(tmp_path / "data.csv"), "--mapping", str(tmp_path / "own.toml")]
    got = CliRunner().invoke(main, [*command, "--lever", "hard-bounced", "-o", str(out)])
    assert got.exit_code == 0, got.output
    assert "3 contacts were written" in got.output
    written = pl.read_csv(out, infer_schema=False)
    assert written.columns[:2] == ["Record ID", "Email"]
    assert "'=1+1" in written["Record ID"].to_list()
    assert "'=HYPERLINK(1)" in written["Email"].to_list()
    assert "a@b.example" in written["Email"].to_list()


def test_the_commands_answer(tmp_path) -> None:
    run = CliRunner().invoke
    data = tmp_path / "data.csv"
    simulate(3, volume=0.25).write_csv(data)
    table = run(main, ["drivers", "factors", str(data), "--factors", "segment,steps"])
    assert table.exit_code == 0, table.output
    assert "Manufacturing" in table.output
    assert "Associations" in table.output
    out = tmp_path / "levers.json"
    made = run(main, ["drivers", "levers", str(data), "--by", "user", "-o", str(out)])
    assert made.exit_code == 0, made.output
    assert set(pl.read_json(out)["lever"]) == {one.key for one in LEVERS}
    words = run(main, ["drivers", "levers", str(data), "--user", "1003", "--words"])
    assert "points of score" in words.output
    shown = run(main, ["drivers", "levers", str(data)])
    assert "hard-bounced: Contacts that had bounced before" in shown.output
    wrong = run(main, ["contacts", str(data), "--lever", "x"])
    assert wrong.exit_code == 2
    assert "There is no lever 'x'" in wrong.output
    leak = run(main, ["drivers", "factors", str(data), "--factors", "opened"])
    assert leak.exit_code == 2
    assert "Traceback" not in leak.output


def test_the_page_about_factors_runs_and_says_what_comes_out(monkeypatch, capsys, tmp_path) -> None:
    import re
    import shlex

    from tests.conftest import ROOT

    page = (ROOT / "docs" / "drivers-factors.md").read_text(encoding="utf-8")
    monkeypatch.chdir(ROOT)
    names: dict[str, object] = {}
    for code in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        exec(compile(code, "drivers-factors.md", "exec"), names)  # noqa: S102
    printed = capsys.readouterr().out
    for shown in re.findall(r"```text\n(.*?)```", page, re.DOTALL):
        for line in shown.strip().splitlines():
            assert line in printed
    (command,) = re.findall(r"```sh\n(.*?)```", page, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    words = [str(SAMPLE) if w == "data/sample" else w for w in shlex.split(command)[1:]]
    got = CliRunner().invoke(main, words)
    assert got.exit_code == 0, got.output
    assert (tmp_path / "suppress.csv").read_text().startswith("Record ID,Email,Reason,Last")
    for lever_key in (one.key for one in LEVERS):
        assert f"`{lever_key}`" in page
