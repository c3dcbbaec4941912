"""The sample account's files: as a user would have them, and the same for a seed."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import polars as pl
import pytest

from senderscore_nb.sample import (
    EXPORT,
    ROSTER,
    SENDERS,
    SEQUENCES,
    SWEDISH_EXPORT,
    TIMEZONE,
    WEEKS,
    write_sample,
)
from senderscore_nb.sample.__main__ import main
from tests.sample_frames import (
    BOUNCED,
    DATA,
    HEADER,
    REPLIED,
    SWEDISH_HEADER,
)


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
