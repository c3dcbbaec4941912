"""Exports become enrollments: endings, duplicates, contradictions, the sample, `check`."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import io
import json
from collections import Counter
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner, Result

from senderscore_nb.cli import main
from senderscore_nb.contract import COLUMNS, Enrollment
from senderscore_nb.sample import EXPORT, SWEDISH_EXPORT, TIMEZONE, simulate
from senderscore_nb.sources import Reading, describe, read_enrollments, write_rejects
from tests.conftest import SAMPLE
from tests.test_sources_files import HEADER, HOSTILE, ROWS, TEXT, put, read

VENDOR = (
    "Enrollment ID,Enrolled by ID,Sequence ID,Enrolled at,Ended at,Enrollment state,"
    "Unenrolled source,Step error type,Emails replied,Emails bounced,Unsubscribes,Recipient email"
)


@pytest.fixture(scope="module")
def sample() -> Reading:
    return read_enrollments(SAMPLE, timezone=TIMEZONE)


def vendor(folder: Path, *rows: str) -> Reading:
    return read(folder, "\n".join([VENDOR, *rows]), timezone="Europe/Berlin")


def test_the_sample_is_what_was_simulated(sample: Reading) -> None:
    assert sample.rejected.is_empty()
    expected = simulate()
    shared = [
        name for name in COLUMNS if name in set(sample.accepted.columns) & set(expected.columns)
    ]
    assert {"replied", "bounced", "end_reason", "ended_on", "enrolled_hour"} <= set(shared)
    read_back, made = (
        frame.select(shared).sort("enrollment_id") for frame in (sample.accepted, expected)
    )
    for name in shared:
        assert read_back[name].equals(made[name]), name
    Enrollment.validate(sample.accepted.select(list(Enrollment.columns())))


def test_the_swedish_sample_reads_whole() -> None:
    reading = read_enrollments(SAMPLE / SWEDISH_EXPORT, timezone=TIMEZONE)
    (file,) = reading.files
    assert (file.mapping, file.encoding, file.decimal) == ("hubspot-sv", "cp1252", ",")
    assert reading.rejected.is_empty()
    assert reading.accepted.height == reading.read > 400
    assert reading.accepted["replied"].sum() > 0
    reasons = set(reading.accepted["end_reason"].drop_nulls())
    assert {"reply", "bounced", "finished", "account_reply"} <= reasons


def test_a_slow_reading_counts_the_same(sample: Reading) -> None:
    """Referee: csv and datetime alone. The export's times are wall clock in the account's zone."""
    ended, replied, bounced, days = Counter(), Counter(), Counter(), Counter()
    text = gzip.decompress((SAMPLE / EXPORT).read_bytes()).decode("utf-8")
    for row in csv.DictReader(io.StringIO(text, newline="")):
        user = row["Enrolled by ID"]
        ended[user] += row["Ended at"] != ""
        replied[user] += int(row["Emails replied"] or 0) > 0
        bounced[user] += int(row["Emails bounced"] or 0) > 0 or row["Step error type"] == "BOUNCED"
        days[dt.datetime.fromisoformat(row["Enrolled at"]).date()] += 1
    counts = sample.accepted.group_by("user_id").agg(
        pl.col("ended_on").count().alias("ended"), pl.col("replied").sum(), pl.col("bounced").sum()
    )
    assert ended == Counter(dict(counts.select("user_id", "ended").rows()))
    assert replied == Counter(dict(counts.select("user_id", "replied").rows()))
    assert bounced == Counter(dict(counts.select("user_id", "bounced").rows()))
    assert days == Counter(sample.accepted["enrolled_on"].to_list())
    assert sample.accepted.height == days.total() == sample.read


@pytest.mark.parametrize(
    ("state", "source", "error", "reason"),
    [
        ("Finished", "", "", "finished"),
        ("unenrolled", "Thread reply", "", "thread_reply"),
        ("UNENROLLED", "ACCOUNT_MEETING", "", "account_meeting"),
        ("UNENROLLED", "ERROR", "BOUNCED", "bounced"),
        ("UNENROLLED", "", "BOUNCED", "bounced"),
        ("UNENROLLED", "ERROR", "UNSUBSCRIBED", "unsubscribed"),
        ("UNENROLLED", "ERROR", "RECIPIENT_PREVIOUSLY_BOUNCED_GLOBALLY", "blocked"),
        ("UNENROLLED", "ERROR", "GDPR", "blocked"),
        ("UNENROLLED", "ERROR", "Disconnected inbox", "error"),
        ("UNENROLLED", "ERROR", "", "error"),
        ("UNENROLLED", "", "", "unknown"),
    ],
)
def test_endings(tmp_path: Path, state: str, source: str, error: str, reason: str) -> None:
    row = f"1,7,31,2026-03-02 10:00,2026-03-03 10:00,{state},{source},{error},0,,,A@Gmail.com"
    accepted = vendor(tmp_path, row).accepted.row(0, named=True)
    assert accepted["end_reason"] == reason
    assert accepted["bounced"] is (error == "BOUNCED")
    assert accepted["unsubscribed"] is (error == "UNSUBSCRIBED")
    assert (accepted["recipient_domain"], accepted["mailbox_provider"]) == ("gmail.com", "google")
    assert not {"recipient_email", "state", "error_type"} & set(accepted)


def test_contradictions_and_unknown_words(tmp_path: Path) -> None:
    reading = vendor(
        tmp_path,
        "1,7,31,2026-03-02 10:00,2026-03-03 10:00,EXECUTING,,,0,0,0,",
        "2,7,31,2026-03-02 10:00,2026-03-03 10:00,Paused,,,0,0,0,",
        "3,7,31,2026-03-02 10:00,,FINISHED,,,0,0,0,",
        "4,7,31,2026-03-02 10:00,2026-03-01 10:00,FINISHED,,,0,0,0,",
        "5,7,31,2026-03-02 10:00,2026-03-03 10:00,STOPPED,,,0,0,0,",
        ",,,,,FINISHED,,,0,0,0,",
        "7,7,31,2026-03-02 10:00,,EXECUTING,,,0,0,0,",
    )
    assert reading.accepted.select("enrollment_id", "end_reason").rows() == [("7", None)]
    reasons = reading.rejected["reason"].to_list()
    assert reasons[:5] == [
        "state is EXECUTING but there is an end",
        "state is PAUSED but there is an end",
        "state is FINISHED but there is no end",
        "ended_on: 2026-03-01 is before enrolled_on 2026-03-02",
        "state (Enrollment state): expected one of EXECUTING, PAUSED, FINISHED, UNENROLLED, "
        "found 'STOPPED'",
    ]
    assert reasons[5].count("is blank") == 4
    row = json.loads(reading.rejected["row"][0])
    assert (row["Enrollment ID"], row["Ended at"]) == ("1", "2026-03-03 10:00")


def test_own_words_for_reasons_and_bounces(tmp_path: Path) -> None:
    header = HEADER.replace("segment", "end_reason,bounce_type")
    text = (
        f"{header}\n1,7,31,2026-03-02,2026-03-03,0,1,Bounced,HARD\n2,7,31,2026-03-02,,0,0,,mild\n"
    )
    reading = read(tmp_path, text)
    assert reading.accepted.select("end_reason", "bounce_type").rows() == [("bounced", "hard")]
    assert reading.accepted.schema["bounce_type"] == COLUMNS["bounce_type"]
    assert "bounce_type: expected one of hard, soft" in reading.rejected["reason"][0]


def test_exact_duplicates_count_once(tmp_path: Path) -> None:
    one = put(tmp_path, "\n".join([HEADER, ROWS[0], ROWS[1], ROWS[0]]), "a.csv")
    two = put(tmp_path, "\n".join([HEADER, ROWS[2], ROWS[0]]), "b.csv")
    reading = read_enrollments([one, two])
    assert reading.accepted["enrollment_id"].to_list() == ["1001", "1002", "1003"]
    assert reading.duplicates == 2
    assert reading.rejected.select("file", "line", "reason").rows() == [
        (str(one), 4, f"exact duplicate of {one}:2"),
        (str(two), 3, f"exact duplicate of {one}:2"),
    ]
    assert reading.accepted.height + reading.rejected.height == reading.read == 5


def test_contradicting_rows_are_rejected_together(tmp_path: Path) -> None:
    changed = ROWS[0].replace("true", "false")
    broken = ROWS[1].replace("2026-03-02", "2026-13-02")
    one = put(tmp_path, "\n".join([HEADER, ROWS[0], ROWS[1], ROWS[0], broken]), "a.csv")
    two = put(tmp_path, "\n".join([HEADER, changed]), "b.csv")
    reading = read_enrollments([one, two])
    assert reading.accepted["enrollment_id"].to_list() == ["1002"]
    assert reading.duplicates == 0
    conflicts = reading.rejected.filter(pl.col("reason").str.contains("contradict"))
    assert conflicts.select("file", "line").rows() == [(str(one), 2), (str(one), 4), (str(two), 2)]
    assert f"{one}:2, {one}:4, {two}:2" in conflicts["reason"][0]


def check(*arguments: str | Path) -> Result:
    result = CliRunner().invoke(main, ["check", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


def test_check_of_a_whole_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    put(tmp_path, TEXT, "export.csv")
    put(tmp_path, "user_id\n7\n8\n", "roster.csv")
    result = check(".")
    assert result.exit_code == 0, result.output
    assert "4 rows read = 4 accepted + 0 rejected." in result.output
    assert "Roster roster.csv: 2 users." in result.output
    assert sorted(file.name for file in tmp_path.iterdir()) == ["export.csv", "roster.csv"]


@pytest.mark.parametrize(
    ("data", "rejects"),
    [("export.csv", "export.rejected.csv"), ("*.csv", "data.rejected.csv"), (".", None)],
)
def test_check_writes_what_was_rejected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: str, rejects: str | None
) -> None:
    monkeypatch.chdir(tmp_path)
    put(tmp_path, TEXT + ROWS[0] + "\n5,7,31,2026-03-02,,=1+1,0,<script>\n")
    result = check(data)
    assert result.exit_code == 1, result.output
    assert "1 × exact duplicate" in result.output
    assert "1 × replied" in result.output
    path = tmp_path / (rejects or f"{tmp_path.name}.rejected.csv")
    rows = list(csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines()))
    assert [(row["file"], row["line"]) for row in rows] == [
        ("export.csv", "6"),
        ("export.csv", "7"),
    ]
    assert json.loads(rows[1]["row"])["segment"] == "<script>"
    again = check(data)
    assert again.output == result.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nothing.csv"], "Nothing to read was found here"),
        (["export.csv", "--mapping", "hubspot-xx"], "no mapping named 'hubspot-xx'"),
        (["other.csv", "--mapping", "hubspot-sv"], "No header was found for"),
        (["export.csv", "--timezone", "Mars/Base"], "no time zone 'Mars/Base'"),
        (["bad.csv", "--rejects", "none/x.csv"], "cannot be written"),
        (["bad.csv", "--rejects", "."], "cannot be written"),
        (["export.csv", "--roster", "export.csv"], "twice"),
    ],
)
def test_check_of_what_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    put(tmp_path, TEXT)
    put(tmp_path, f"{TEXT}x\n", "bad.csv")
    put(tmp_path, "a,b\n1,2\n", "other.csv")
    result = check(*arguments)
    assert result.exit_code == 2
    assert said in result.output
    assert "Traceback" not in result.output


def test_the_description_and_the_rejects_are_harmless(tmp_path: Path) -> None:
    quoted = ['"' + text.replace('"', '""') + '"' for text in HOSTILE]
    header = f"{HEADER},{','.join(quoted)}"
    rows = [
        f"{n},7,31,{text},,{text},0,{text}" + "," * len(quoted) for n, text in enumerate(quoted)
    ]
    reading = read(tmp_path, "\n".join([header, *rows]))
    text = describe(reading)
    assert reading.rejected.height == len(HOSTILE)
    assert all(line.isprintable() for line in text.splitlines())
    assert max(map(len, text.splitlines())) < 300
    write_rejects(reading, tmp_path / "r.csv")
    back = pl.read_csv(tmp_path / "r.csv", infer_schema=False)
    assert not back.select(pl.all().str.contains(r"^[=+\-@\t\r]").any()).row(0).count(True)
    assert [json.loads(row)["segment"] for row in back["row"]] == HOSTILE
