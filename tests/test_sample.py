"""The sample account: its files, and the planted truth found in them with plain polars."""

from __future__ import annotations

import datetime as dt
import gzip
import io
import math
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from senderscore_nb.contract import COLUMNS, REQUIRED, Enrollment
from senderscore_nb.errors import SelectionError
from senderscore_nb.policy import load_policy
from senderscore_nb.sample import (
    EXPORT,
    NO_EFFECTS,
    NULL_FACTORS,
    ROSTER,
    SENDERS,
    SEQUENCES,
    SWEDISH_EXPORT,
    TIMEZONE,
    WEEKS,
    Decay,
    Effects,
    Sender,
    monday,
    simulate,
    true_rates,
    write_sample,
)
from senderscore_nb.sample.__main__ import main

DATA = Path(__file__).parents[1] / "data" / "sample"
PLANTED = Effects()
HEADER = (
    "Enrollment ID,Record ID - Contact,Sequence ID,Sequence name,Enrolled by ID,Enrolled by,"
    "Enrolled at,Ended at,Enrollment state,Unenrolled source,Step error type,Emails sent,"
    "Emails opened,Emails clicked,Emails replied,Emails bounced,Unsubscribes,Meetings booked,"
    "Number of steps,Recipient email,Personalization tokens,Contact source,Segment,"
    "Lifecycle stage,Template ID"
)
SWEDISH_HEADER = (
    "Registrerings-ID;Post-ID - Kontakt;Sekvens-ID;Sekvensnamn;Registrerad av ID;Registrerad av;"
    "Registrerad den;Avslutad den;Registreringsstatus;Källa för avregistrering;Typ av stegfel;"
    "Skickade e-postmeddelanden;Öppnade e-postmeddelanden;Klickade e-postmeddelanden;"
    "Besvarade e-postmeddelanden;Studsade e-postmeddelanden;Avprenumerationer;Bokade möten;"
    "Antal steg;Mottagarens e-postadress;Personaliseringstokens;Kontaktkälla;Segment;"
    "Livscykelstadium;Mall-ID"
)
TEXT = {"Enrollment ID": pl.String, "Enrolled by ID": pl.String, "Sequence ID": pl.String}

REPLIED = (pl.col("Emails replied") > 0) & (pl.col("Emails bounced") == 0)
BOUNCED = pl.col("Emails bounced") > 0


@pytest.fixture(scope="module")
def export() -> pl.DataFrame:
    """The committed export, with the week of enrollment and the week of the end."""
    rows = pl.read_csv(gzip.decompress((DATA / EXPORT).read_bytes()), schema_overrides=TEXT)
    instant = pl.col("Enrolled at", "Ended at").str.to_datetime("%Y-%m-%d %H:%M")

    def week(column: str) -> pl.Expr:
        return (pl.col(column).dt.date() - monday(1)).dt.total_days().floordiv(7) + 1

    return rows.with_columns(instant).with_columns(
        week=week("Enrolled at"), ended_week=week("Ended at")
    )


@pytest.fixture(scope="module")
def settled(export: pl.DataFrame) -> pl.DataFrame:
    """The cohorts whose runs can all have ended: no run lasts longer than five weeks."""
    return export.filter(
        pl.col("week").is_between(1, WEEKS - 5), pl.col("Ended at").is_not_null()
    ).with_columns(replied=REPLIED, bounced=BOUNCED)


def rate(rows: pl.DataFrame) -> tuple[float, float]:
    """Reply rate of what did not bounce, and its standard error."""
    delivered = rows.filter(~BOUNCED)
    p = float(delivered.select(REPLIED.mean()).item())
    return p, math.sqrt(p * (1 - p) / delivered.height)


def z_of_difference(a: pl.DataFrame, b: pl.DataFrame) -> float:
    (p, se_p), (q, se_q) = rate(a), rate(b)
    return (q - p) / math.hypot(se_p, se_q)


def levels_apart(rows: pl.DataFrame, factor: str, outcome: str) -> float:
    """The largest |z| of a level's outcomes against what its senders and sequences expect."""
    strata = ["Enrolled by ID", "Sequence ID"]
    cells = rows.group_by(*strata, pl.col(factor).alias("level")).agg(
        n=pl.len(), hits=pl.col(outcome).sum()
    )
    total = pl.col("n").sum().over(strata)
    p = pl.col("hits").sum().over(strata) / total
    share = pl.col("n") / total
    by_level = (
        cells.with_columns(
            expected=pl.col("n") * p, variance=pl.col("n") * p * (1 - p) * (1 - share)
        )
        .group_by("level")
        .agg(pl.col("hits", "expected", "variance").sum())
    )
    z = (pl.col("hits") - pl.col("expected")).abs() / pl.col("variance").sqrt()
    return float(by_level.filter(pl.col("variance") > 0).select(z.max()).item())


def mantel_haenszel(rows: pl.DataFrame, strata: list[str]) -> float:
    """The odds ratio of a reply with tokens against none, over strata."""
    columns = {"with": pl.col("tokens"), "without": ~pl.col("tokens")}
    hits = {f"hit_{k}": (v & pl.col("replied")).sum() for k, v in columns.items()}
    misses = {f"miss_{k}": (v & ~pl.col("replied")).sum() for k, v in columns.items()}
    cells = rows.group_by(strata).agg(n=pl.len(), **hits, **misses)
    up = (pl.col("hit_with") * pl.col("miss_without") / pl.col("n")).sum()
    down = (pl.col("hit_without") * pl.col("miss_with") / pl.col("n")).sum()
    return float(cells.select(up / down).item())


# The files


def contents(folder: Path) -> dict[str, bytes]:
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    # A gzip stream differs between builds of zlib; what is in it does not.
    return {
        str(p.relative_to(folder)): gzip.decompress(p.read_bytes())
        if p.suffix == ".gz"
        else p.read_bytes()
        for p in files
    }


def test_committed_files_are_what_the_generator_writes(tmp_path: Path) -> None:
    write_sample(tmp_path)
    assert contents(tmp_path) == contents(DATA)


def test_a_seed_gives_the_same_bytes_and_another_seed_does_not(tmp_path: Path) -> None:
    assert main([str(tmp_path / "a"), "--seed", "5"]) == 0
    paths = write_sample(tmp_path / "b", seed=5)
    assert all(
        p.read_bytes() == (tmp_path / "a" / p.relative_to(tmp_path / "b")).read_bytes()
        for p in paths
    )
    assert (tmp_path / "a" / EXPORT).read_bytes() != (DATA / EXPORT).read_bytes()


def test_writing_where_it_cannot_be_written_is_said_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("in the way")
    assert main([str(tmp_path / "file")]) == 1
    message = capsys.readouterr().err
    assert "cannot be written" in message
    assert "Traceback" not in message


@pytest.mark.parametrize("seed", ["-1", "many"])
def test_a_seed_is_a_natural_number(tmp_path: Path, seed: str) -> None:
    with pytest.raises(SystemExit) as stop:
        main([str(tmp_path), "--seed", seed])
    assert stop.value.code == 2
    assert not list(tmp_path.iterdir())


def test_export_is_as_a_user_would_have_it(export: pl.DataFrame) -> None:
    text = gzip.decompress((DATA / EXPORT).read_bytes()).decode("utf-8")
    assert text.partition("\n")[0] == HEADER
    assert '""' not in text
    assert 55_000 <= export.height <= 66_000
    assert export["Enrollment ID"].is_unique().all()
    assert export["Enrolled by ID"].n_unique() == len(SENDERS) == 16
    assert export["Sequence ID"].n_unique() == len(SEQUENCES) == 12
    assert set(export["ended_week"].drop_nulls().unique()) == set(range(1, WEEKS + 1))
    assert (DATA / EXPORT).stat().st_size < 3_000_000


def test_export_is_consistent(export: pl.DataFrame) -> None:
    active = pl.col("Enrollment state").is_in(["EXECUTING", "PAUSED"])
    blocked = pl.col("Step error type") == "RECIPIENT_PREVIOUSLY_BOUNCED_ON_PORTAL"
    failed = pl.col("Step error type").is_not_null()
    wrong = {
        "active has an end": active != pl.col("Ended at").is_null(),
        "unenrolled without a source": (pl.col("Enrollment state") == "UNENROLLED")
        != pl.col("Unenrolled source").is_not_null(),
        "error without a type": (pl.col("Unenrolled source") == "ERROR").fill_null(False) != failed,
        "ends before it begins": pl.col("Ended at") < pl.col("Enrolled at"),
        "ends late": pl.col("Ended at") - pl.col("Enrolled at") > pl.duration(days=35),
        "more mails than steps": pl.col("Emails sent") > pl.col("Number of steps"),
        "more opened than sent": pl.col("Emails opened") > pl.col("Emails sent"),
        "clicked unopened": pl.col("Emails clicked") > pl.col("Emails opened"),
        "outcome while active": active
        & (pl.sum_horizontal("Emails replied", "Emails bounced", "Meetings booked") > 0),
        "bounce": (pl.col("Step error type") == "BOUNCED").fill_null(False) != BOUNCED,
        "blocked but sent": (blocked & (pl.col("Emails sent") > 0)).fill_null(False),
        "bounced late": BOUNCED
        & (pl.col("Ended at") - pl.col("Enrolled at") > pl.duration(days=4)),
        "not an example domain": ~pl.col("Recipient email").str.contains(
            r"^[a-z]+\.\d+@[a-z]+\.example\.(com|net|org)$"
        ),
    }
    counts = export.select(test.sum().alias(name) for name, test in wrong.items()).row(
        0, named=True
    )
    assert counts == dict.fromkeys(wrong, 0)


def test_every_wall_clock_time_exists_once(export: pl.DataFrame) -> None:
    for column in ("Enrolled at", "Ended at"):
        aware = export[column].dt.replace_time_zone(TIMEZONE)
        assert aware.null_count() == export[column].null_count()


def test_the_words_and_endings_that_are_met(export: pl.DataFrame) -> None:
    states = set(export["Enrollment state"])
    assert states == {"EXECUTING", "PAUSED", "FINISHED", "UNENROLLED"}
    sources = set(export["Unenrolled source"].drop_nulls())
    assert sources == {
        *("REPLY", "THREAD_REPLY", "MEETING", "ACCOUNT_REPLY", "ACCOUNT_MEETING"),
        *("MANUAL", "WORKFLOW", "ERROR"),
    }
    by_colleague = export.filter(pl.col("Unenrolled source") == "ACCOUNT_REPLY")
    assert by_colleague.height > 100
    assert by_colleague["Emails replied"].sum() == 0
    both = export.filter(BOUNCED & (pl.col("Emails replied") > 0)).height
    assert 1 <= both <= 0.03 * export.filter(BOUNCED).height
    late = export.filter(REPLIED & (pl.col("Enrollment state") == "FINISHED")).height
    assert 50 <= late <= 0.1 * export.filter(REPLIED).height


def test_mostly_working_days_and_hours(export: pl.DataFrame) -> None:
    at = export["Enrolled at"]
    assert (at.dt.weekday() >= 6).mean() < 0.02
    assert (at.dt.hour().is_between(8, 17)).mean() > 0.95


def test_a_contact_can_come_again_but_only_later(export: pl.DataFrame) -> None:
    runs = export.sort("Enrolled at").with_columns(
        before=pl.col("Ended at").shift().over("Record ID - Contact")
    )
    again = runs.filter(pl.col("Record ID - Contact").is_duplicated())
    assert again.height > 1_000
    assert (again["before"].drop_nulls() < again.drop_nulls("before")["Enrolled at"]).all()
    addresses = export.group_by("Record ID - Contact").agg(pl.col("Recipient email").n_unique())
    assert addresses["Recipient email"].max() == 1


def test_swedish_export() -> None:
    raw = (DATA / SWEDISH_EXPORT).read_bytes()
    with pytest.raises(UnicodeDecodeError):
        raw.decode("utf-8")
    text = raw.decode("cp1252")
    assert text.partition("\n")[0] == SWEDISH_HEADER
    rows = pl.read_csv(io.StringIO(text), separator=";", infer_schema=False)
    assert 350 <= rows.height <= 450
    assert set(rows["Registrerad av"]) == {"Åsa Öberg", "Björn Sjögren"}
    counts = rows[:, SWEDISH_HEADER.split(";").index("Skickade e-postmeddelanden") :][:, :8]
    assert counts.width == 8
    assert all(column.str.contains(r"^\d+,0$").all() for column in counts)
    assert set(rows["Registreringsstatus"]) == {"Pågår", "Pausad", "Slutförd", "Avregistrerad"}
    assert set(rows["Källa för avregistrering"].drop_nulls()) <= {
        *("Svar", "Svar i tråd", "Möte", "Kontosvar", "Kontomöte", "Manuell", "Arbetsflöde", "Fel"),
    }
    assert "Studsade" in set(rows["Typ av stegfel"])
    assert set(rows["Typ av stegfel"].drop_nulls()) <= {
        *("Studsade", "Avprenumererad", "Tidigare studsad"),
    }
    assert rows["Avslutad den"].drop_nulls().str.contains(r"^\d{4}-\d\d-\d\d \d\d:\d\d$").all()


def test_no_ids_are_shared_between_the_two_exports(export: pl.DataFrame) -> None:
    text = (DATA / SWEDISH_EXPORT).read_bytes().decode("cp1252")
    swedish = pl.read_csv(io.StringIO(text), separator=";", infer_schema=False)
    for theirs, ours in {
        "Registrerings-ID": "Enrollment ID",
        "Post-ID - Kontakt": "Record ID - Contact",
        "Registrerad av ID": "Enrolled by ID",
        "Sekvens-ID": "Sequence ID",
    }.items():
        assert not set(swedish[theirs]) & set(export[ours].cast(pl.String))


def test_roster() -> None:
    roster = pl.read_csv(DATA / ROSTER, schema_overrides={"User ID": pl.String})
    assert roster.columns == ["User ID", "Name", "Team", "Paid seat", "Active", "Email"]
    assert roster["User ID"].to_list() == [s.user_id for s in SENDERS]
    assert roster["Team"].n_unique() == 3
    assert roster.filter(~pl.col("Paid seat"))["User ID"].to_list() == ["1010"]
    assert roster.filter(~pl.col("Active"))["User ID"].to_list() == ["1015"]
    assert roster["Email"].str.ends_with("@example.com").all()


# The planted truth, in the export


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


# The simulator


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
