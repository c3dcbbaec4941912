"""Simulated mail: each nuisance by name, the same seed the same mail, and the truth beside it."""

from __future__ import annotations

import datetime as dt
from dataclasses import fields

import polars as pl
import pytest

from benchmarks.validation import emails
from benchmarks.validation.emails import CLAIMS, mails_of, page, study
from senderscore_nb.sample.account import LAST_DAY, TIMEZONE
from senderscore_nb.sample.generate import simulate_rows
from senderscore_nb.sample.mails import Nuisances, SimulatedMail, simulate_mails
from senderscore_nb.sources.emails import reconstruct
from senderscore_nb.sources.emails.outcomes import enrollment_ids

NAMES = [f.name for f in fields(Nuisances) if f.name != "shuffled"]
ROWS = simulate_rows(5, weeks=8, volume=0.08)


def simulated(nuisances: Nuisances | None = None, seed: int = 1) -> SimulatedMail:
    return simulate_mails(ROWS, last_day=LAST_DAY, seed=seed, nuisances=nuisances)


@pytest.fixture(scope="module")
def tidy() -> SimulatedMail:
    return simulated(Nuisances.none())


def test_the_same_seed_gives_the_same_mail() -> None:
    one, other = simulated(), simulated()
    assert one.mails.equals(other.mails)
    assert one.truth.equals(other.truth)
    assert not one.mails.equals(simulated(seed=2).mails)


def test_without_nuisances_mail_is_what_the_enrollments_sent(tidy: SimulatedMail) -> None:
    sent = ROWS["sent"].sum() + ROWS["end_reason"].is_in(["blocked", "error"]).sum()
    assert tidy.mails.filter(hs_email_direction="EMAIL").height == sent
    assert tidy.truth.height == ROWS.height
    assert tidy.truth["replied"].sum() == (ROWS["replies"] > 0).sum()
    assert tidy.truth["bounced"].sum() == (ROWS["bounces"] > 0).sum()
    assert tidy.mails["hs_object_id"].is_unique().all()
    assert set(tidy.mails.dtypes) == {pl.String}


def test_tidy_mail_gives_back_every_enrollment(tidy: SimulatedMail) -> None:
    made = reconstruct(mails_of(tidy), timezone=TIMEZONE, owners=tidy.owners).enrollments
    truth = tidy.truth.with_columns(enrollment_ids(tidy.truth))
    columns = ["enrollment_id", "user_id", "sequence_id", "replied", "bounced"]
    assert (
        made.select(columns)
        .sort("enrollment_id")
        .equals(truth.select(columns).sort("enrollment_id"))
    )
    days = ROWS.select("user_id", "enrolled_on").sort(pl.all())
    assert made.select("user_id", "enrolled_on").sort(pl.all()).equals(days)


@pytest.mark.parametrize("name", NAMES)
def test_each_nuisance_changes_the_mail(name: str, tidy: SimulatedMail) -> None:
    needs = {
        "unmarked": ["automatic_replies"],
        "mute_notices": ["notices"],
        "late_repeats": ["repeated"],
        "other_template": ["repeated"],
    }.get(name, [])
    one = Nuisances(**dict.fromkeys(NAMES, 0.9)).only(name, *needs)
    without = Nuisances(**dict.fromkeys(NAMES, 0.9)).only(*needs) if needs else Nuisances.none()
    assert not simulated(one).mails.equals(simulated(without).mails)


def test_owners_are_missing_as_often_as_measured() -> None:
    mails = simulated().mails.filter(pl.col("hs_sequence_id").is_not_null())
    filled = mails["hubspot_owner_id"].is_not_null().mean()
    assert 0.55 <= filled <= 0.84


def test_mail_of_all_nuisances_is_in_no_order_and_twice() -> None:
    mails = simulated().mails
    assert not mails["hs_timestamp"].is_sorted()
    assert mails["hs_object_id"].is_duplicated().any()
    assert (mails["hs_timestamp"].str.to_datetime(time_zone="UTC").max()).date() <= LAST_DAY


def test_the_study_finds_what_it_claims() -> None:
    findings = study(3, seed=40)
    # In so few accounts hardly any contact of two sequences answers outside the thread.
    rare = {CLAIMS["astray"].says}
    assert {f.claim for f in findings} | rare == {c.says for c in CLAIMS.values()}
    for finding in findings:
        assert finding.low <= finding.measured <= finding.high, finding
        assert finding.trials > 0


def test_a_reconstruction_that_misses_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The study of a reconstruction that drops incoming mail does not agree."""

    def deaf(mails: pl.DataFrame, **options: object) -> object:
        return reconstruct(mails.filter(pl.col("direction") == "EMAIL"), **options)

    monkeypatch.setattr(emails, "reconstruct", deaf)
    wrong = {f.claim for f in study(1, seed=40) if not f.low <= f.measured <= f.high}
    assert CLAIMS["thread"].says in wrong
    assert CLAIMS["notice"].says in wrong


def test_the_page_says_what_does_not_agree() -> None:
    finding = study(1, seed=40)[0]
    good = page([finding], 1, dt.date(2026, 1, 5))
    assert "| yes |" in good
    assert "2026-01-05" in good
    off = type(finding)("x", "all", 1.0, 1.0, 0.999999, 10**6)
    assert "| 99.99990% | 1,000,000 | **no** |" in page([off], 1, dt.date(2026, 1, 5))
