"""DuckDB and Spark read enrollments as polars' reader does: the same rows, days and reasons."""

from __future__ import annotations

import datetime as dt
import gzip
import itertools
import json

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from senderscore_nb.contract import COLUMNS, REQUIRED
from senderscore_nb.sample import EXPORT
from senderscore_nb.sources import read_enrollments
from senderscore_nb.sources.endings import ERRORS, SOURCES, STATES
from senderscore_nb.sources.engines import engine_enrollments
from tests.conftest import SAMPLE
from tests.engines import Reader, collected

ZONE = "Asia/Kathmandu"
SAMPLE_EXPORT = SAMPLE / EXPORT
MIDNIGHT = dt.datetime(2026, 12, 31, 18, 15)

BAD = """\
enrollment_id;user_id;sequence_id;enrolled_on;ended_on;replied;bounced;steps;end_reason;opened
1;7;s;2026-03-02;2026-03-09;true;0;3;finished;yes
2;;s;2026-03-02;;1;no;4.0;;
3;7;;2026-03-02;;1;no;;;
;7;s;2026-03-02;;1;no;;;
5;7;s;;;1;no;;;
6;7;s;2026-02-30;;1;no;;;
7;7;s;2026-03-02;yesterday;1;no;;;
8;7;s;2026-03-02;2026-03-01;1;no;;;
9;7;s;2026-03-02;;perhaps;-1;3.5;whatever;"a""b' c"
10;7;s;1969-12-31;;1;no;;;
11;7;s;2100-01-01;;1;no;;;
12;7;s;2026-03-02T23:59:59.9999999;;1;no;;;
13;7;s;2026-03-02 24:00;;1;no;;;
14;7;s;2026-03-02T10:00+15:00;;1;no;;;
15;7;s;1798740900000;;2;no;;Thread-Reply;
16;\u00a0 8 ;s;2026-03-02;;n;X;9007199254740994;;
17;"'; DROP TABLE x; --";"s
t";2026-03-02;;;;;;
twice;7;s;2026-03-02;;1;no;;;
twice;7;s;2026-03-02;;yes;0;;;
again;7;s;2026-03-02;;1;no;;;
again;7;s;2026-03-03;;1;no;;;
"""


def put(tmp_path, text, name="rows.csv"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def comparable(got):
    """What must be equal; the place of a duplicate and the types of enums are a reader's own."""

    def told(reason):
        for known in ("exact duplicate", "enrollment_id: rows with one id contradict"):
            if reason.startswith(known):
                return known
        return reason

    enums = [name for name, kind in got.accepted.schema.items() if kind == pl.Enum]
    return (
        got.accepted.with_columns(pl.col(name).cast(pl.String) for name in enums),
        sorted(map(told, got.reasons)),
        got.counts,
    )


def assert_same(got, expected):
    mine, theirs = comparable(got), comparable(expected)
    assert mine[0].columns == theirs[0].columns
    assert mine[0].schema == theirs[0].schema
    assert mine[0].equals(theirs[0]), (mine[0], theirs[0])
    assert mine[1:] == theirs[1:]


def test_bad_rows_are_rejected_with_their_reasons(reader, tmp_path):
    path = put(tmp_path, BAD)
    got = reader.read(path, timezone=ZONE)
    assert_same(got, Reader("polars").read(path, timezone=ZONE))
    read, accepted, rejected, duplicates = got.counts
    assert (read, accepted + rejected, duplicates) == (21, 21, 1)
    assert (accepted, rejected) == (got.accepted.height, len(got.reasons))
    assert got.accepted["enrollment_id"].to_list() == ["1", "12", "15", "17", "twice"]
    assert got.accepted.filter(enrollment_id="15").row(0, named=True)["enrolled_hour"] == 0
    assert "enrolled_on: is blank" in got.reasons
    assert any(
        "opened: expected true or false, or a count, found 'a\"b' c'" in r for r in got.reasons
    )
    rows = [json.loads(row) for row in got.rows]
    assert {"a\"b' c"} <= {row["opened"] for row in rows}


def test_exports_and_warehouse_copies_of_enrollments(reader, tmp_path):
    """HubSpot's names, and with what copies put before them, which is the engines' own."""
    prefix = {"polars": "", "duckdb": "properties_", "spark": "property_"}[reader.name]
    export = pl.read_csv(SAMPLE_EXPORT, infer_schema=False)[::400]
    path = tmp_path / f"{prefix}e'x[1].parquet"
    names = {
        "Enrollment ID": "hs_enrollment_id", "Enrolled by ID": "hs_enrolled_by",
        "Sequence ID": "hs_sequence_id", "Enrolled at": "hs_enrolled_at",
        "Ended at": "hs_ended_at", "Enrollment state": "hs_enrollment_state",
        "Unenrolled source": "hs_unenrolled_source", "Step error type": "hs_step_error_type",
        "Emails replied": "hs_email_reply_count", "Emails bounced": "hs_email_bounce_count",
    }  # fmt: skip
    plain = tmp_path / "plain.parquet"
    export.rename({k: v for k, v in names.items() if k in export.columns}).write_parquet(plain)
    export.rename({k: prefix + v for k, v in names.items() if k in export.columns}).write_parquet(
        path
    )
    got = reader.read(path, timezone="Europe/Stockholm")
    assert got.counts[1] > 100
    assert_same(got, Reader("polars").read(plain, timezone="Europe/Stockholm"))


def test_every_state_source_and_error_ends_as_the_rule_says(reader, tmp_path):
    """One rule, written once, in polars' expressions and in SQL."""
    words = itertools.product([None, *STATES], [None, *SOURCES], [None, *ERRORS], [None, "x"])
    frame = pl.DataFrame(
        [(str(i), *row) for i, row in enumerate(words)],
        schema=dict.fromkeys(
            ("enrollment_id", "state", "unenrolled_by", "error_type", "ended_on"), pl.String
        ),
        orient="row",
    ).with_columns(
        user_id=pl.lit("7"), sequence_id=pl.lit("s"), enrolled_on=pl.lit(MIDNIGHT.date()),
        ended_on=pl.when(pl.col("ended_on") == "x").then(pl.lit(MIDNIGHT.date())),
        replied=pl.lit("0"), bounced=pl.lit("0"), unsubscribed=pl.lit("0"),
        recipient_email=pl.lit("Bo <bo@GMail.com>"),
        state=pl.col("state").str.to_titlecase(),
        unenrolled_by=pl.col("unenrolled_by").str.replace("_", " - "),
    )  # fmt: skip
    path = tmp_path / "words.parquet"
    frame.write_parquet(path)
    got = reader.read(path)
    assert_same(got, Reader("polars").read(path))
    assert got.counts[0] == len(frame) == 2 * 5 * 10 * (len(ERRORS) + 1)
    assert got.accepted["mailbox_provider"].unique().to_list() == ["google"]
    assert set(got.accepted["end_reason"].cast(pl.String)) > {"blocked", "bounced", "reply", None}


def test_typed_columns(reader, tmp_path):
    """Every type that Parquet has for an id, a day, a count; null is never an empty text."""
    at = [MIDNIGHT, MIDNIGHT - dt.timedelta(microseconds=1), dt.datetime(1970, 1, 1), None]
    frame = pl.DataFrame(
        {
            "enrollment_id": [1, 2, 3, 4],
            "user_id": [1001.0, 2.5, None, float("nan")],
            "sequence_id": ["s", " t ", "", None],
            "enrolled_on": pl.Series(at, dtype=pl.Datetime("us", "UTC")),
            "ended_on": [dt.date(2027, 3, 1), None, dt.date(1970, 1, 2), None],
            "replied": [0, 2, -1, None],
            "bounced": [True, False, None, None],
            "opened": [0.0, 3.0, float("nan"), float("inf")],
            "steps": pl.Series([3, 4, 5, None], dtype=pl.UInt8),
            "contact_id": pl.Series(["1.00", "2.50", None, "7.00"]).cast(pl.Decimal(10, 2)),
            "personalization_tokens": [1.0, 2.5, None, float("nan")],
        }
    )
    path = tmp_path / "typed.parquet"
    frame.write_parquet(path)
    got = reader.read(path, timezone=ZONE)
    want = Reader("polars").read(path, timezone=ZONE)
    assert got.counts == want.counts
    assert got.accepted["enrolled_on"].to_list() == [dt.date(2027, 1, 1)]
    assert got.accepted["user_id"].to_list() == ["1001"]
    for name in ("enrolled_hour", "enrolled_weekday", "ended_on", "replied", "opened", "steps"):
        assert got.accepted[name].to_list() == want.accepted[name].to_list(), name
    assert got.dtypes["steps"] == pl.Int64
    if reader.name != "polars":
        assert "1970-01-01 00:00:00Z" in " ".join(got.rows).replace(".0Z", "Z")


@pytest.mark.parametrize("naive", ["account", "UTC"])
def test_naive_times_are_what_is_declared(reader, tmp_path, naive):
    frame = pl.DataFrame(
        {
            "enrollment_id": ["1", "2"],
            "user_id": "7",
            "sequence_id": "s",
            "enrolled_on": [MIDNIGHT, MIDNIGHT - dt.timedelta(seconds=1)],
            "ended_on": ["2026-12-31T23:00", "2027-01-01T00:00:00"],
            "replied": True,
            "bounced": False,
        }
    )
    frame = frame.with_columns(ended_on=pl.lit("2027-06-30T18:15:00"))
    path = tmp_path / "naive.parquet"
    frame.write_parquet(path)
    got = reader.read(path, timezone=ZONE, naive=naive)
    new_year = dt.date(2027, 1, 1) if naive == "UTC" else dt.date(2026, 12, 31)
    assert got.accepted["enrolled_on"].to_list() == [new_year, dt.date(2026, 12, 31)]
    june = dt.date(2027, 7, 1) if naive == "UTC" else dt.date(2027, 6, 30)
    assert got.accepted["ended_on"].to_list() == [june, june]
    assert_same(got, Reader("polars").read(path, timezone=ZONE, naive=naive))


def test_files_of_a_folder_are_put_together_by_name(reader, tmp_path):
    names = "enrollment_id,user_id,sequence_id,enrolled_on,ended_on,replied"
    put(tmp_path, f"{names},bounced\n1,7,s,2026-03-02,,1,0\n", "a.csv")
    two = f"bounced,{names},segment\n0,2,8,t,2026-03-03,,0,x\n".replace(",", ";")
    put(tmp_path, two, "b,[1]*.csv")
    put(tmp_path, "roster", "roster.csv")
    got = reader.read(tmp_path)
    assert got.accepted["user_id"].to_list() == ["7", "8"]
    assert got.accepted["segment"].to_list() == [None, "x"]
    assert_same(got, Reader("polars").read(tmp_path))


def test_ids_may_be_trusted(reader, tmp_path):
    trust = {} if reader.name == "polars" else {"trust_ids": True}
    got = reader.read(put(tmp_path, BAD), timezone=ZONE, **trust)
    if not trust:
        assert got.counts[3] == 1
        return
    assert got.counts[3] == 0
    assert got.accepted["enrollment_id"].to_list().count("twice") == 2


def test_columns_are_the_contracts(tmp_path):
    lines = gzip.decompress(SAMPLE_EXPORT.read_bytes()).decode().splitlines(keepends=True)
    export = put(tmp_path, "".join([lines[0], *lines[1::20]]), "export.csv")
    got = Reader("duckdb").read(export, timezone="Europe/Stockholm")
    assert got.counts[1] > 3000
    assert set(got.accepted.columns) <= set(COLUMNS)
    assert got.accepted.columns == [n for n in COLUMNS if n in got.accepted.columns]
    assert_same(got, Reader("polars").read(export, timezone="Europe/Stockholm"))
    swedish = tmp_path / "swedish.csv"
    (there,) = (SAMPLE / "swedish").iterdir()
    swedish.write_text(there.read_text("cp1252"), "utf-8")
    assert_same(
        Reader("duckdb").read(swedish, timezone="Europe/Stockholm"),
        Reader("polars").read(swedish, timezone="Europe/Stockholm"),
    )


texts = st.one_of(
    st.none(),
    st.datetimes(dt.datetime(1969, 12, 30), dt.datetime(2100, 1, 2)).flatmap(
        lambda at: st.sampled_from(
            [
                f"{at:%Y-%m-%d}", f"{at:%Y-%m-%d %H:%M}", f"{at:%Y-%m-%dT%H:%M:%S}Z",
                f"{at:%Y-%m-%dT%H:%M:%S.%f}+05:45", f"{at:%Y-%m-%d %H:%M:%S}-0330",
                f" {at:%Y-%m-%d}\t", f"{int(at.replace(tzinfo=dt.UTC).timestamp() * 1000)}",
                f"{at:%Y-%m-%d %H:%M}:61", f"{at:%Y-%m-%d} UTC", f"{at:%Y%m%d}",
            ]
        )
    ),
    st.text(st.characters(max_codepoint=0x17F), max_size=5),
)  # fmt: skip


@settings(max_examples=8)
@given(
    st.lists(
        st.tuples(texts, texts, st.sampled_from(["1", "2", " ", None])), min_size=30, max_size=90
    ),
    st.sampled_from(["Europe/Berlin", "Australia/Lord_Howe", ZONE, "America/St_Johns"]),
)
def test_whatever_stands_in_a_table(tmp_path_factory, rows, zone):
    """DuckDB and polars' reader agree about every row, and no row is lost."""
    frame = pl.DataFrame(
        [(str(i), user, "s", a, b, None, "0") for i, (a, b, user) in enumerate(rows)],
        schema=dict.fromkeys(REQUIRED, pl.String),
        orient="row",
    )  # fmt: skip
    path = tmp_path_factory.mktemp("law") / "rows.parquet"
    frame.write_parquet(path)
    assert_same(
        Reader("duckdb").read(path, timezone=zone), Reader("polars").read(path, timezone=zone)
    )


def test_the_connection_may_be_the_users(tmp_path):
    path = put(tmp_path, BAD)
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'Pacific/Kiritimati'")
    with engine_enrollments(path, timezone=ZONE, session=connection) as reading:
        first = collected(reading.frame)
    with engine_enrollments(path, timezone=ZONE) as reading:
        assert collected(reading.frame).sort("enrollment_id").equals(first.sort("enrollment_id"))
    assert connection.sql("SELECT 1").fetchall() == [(1,)]
    assert connection.sql("SHOW TABLES").fetchall() == []
    connection.close()


def test_a_frame_outlives_its_reading(tmp_path):
    frame = engine_enrollments(put(tmp_path, BAD), timezone=ZONE).frame
    assert len(frame.fetchall()) == 5


def test_reading_writes_nothing_where_it_runs(tmp_path, monkeypatch):
    data = tmp_path / "data"
    data.mkdir()
    put(data, BAD)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "elsewhere"))
    with engine_enrollments("data", timezone=ZONE) as reading:
        assert reading.counts.read == 21
    assert sorted(p.name for p in tmp_path.iterdir()) == ["data"]
    assert read_enrollments(data, timezone=ZONE).read == 21
