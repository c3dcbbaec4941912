"""Where engines read from, hostile names and all; and what is said where they cannot."""

from __future__ import annotations

import builtins
import json
import subprocess
import sys

import duckdb
import polars as pl
import pytest

from senderscore_nb.errors import MappingError, ReadError
from senderscore_nb.sample.account import LAST_DAY, TIMEZONE
from senderscore_nb.sample.generate import simulate_rows
from senderscore_nb.sample.mails import simulate_mails
from senderscore_nb.sources.emails import read_emails
from senderscore_nb.sources.engines import engine_enrollments, in_words
from senderscore_nb.sources.engines.places import without_password
from senderscore_nb.sources.engines.sparks import SparkEngine
from senderscore_nb.sources.warehouse import read_warehouse
from tests.engines import ONE_PROCESS, collected
from tests.postgres import PASSWORD
from tests.warehouses import fivetran

HOSTILE = 'a"; DROP TABLE "x"; -- `b` \'c\' {d} [e] $f % \\ é名'
ROW = ("1", "o'b\"r`i\\en; --", "s", "2026-03-02", "true", "false")
COLUMNS = ("enrollment_id", "user_id", "sequence_id", "enrolled_on", "replied", "bounced")


def frame() -> pl.DataFrame:
    """One enrollment, and columns with names that are attacks."""
    plain = pl.DataFrame([ROW], schema=dict.fromkeys(COLUMNS, pl.String), orient="row")
    return plain.with_columns(
        pl.lit(None, pl.String).alias("ended_on"),
        pl.lit("x").alias(HOSTILE),
        pl.lit("y").alias("__0"),
        pl.lit("z").alias("__reason"),
        pl.lit("w").alias("a.b"),
    )


def test_names_and_values_are_only_names_and_values(reader, tmp_path):
    path = tmp_path / "it's [a] {file}, 100%20 *.parquet"
    frame().write_parquet(path)
    got = reader.read(path)
    assert got.accepted["user_id"].to_list() == [ROW[1]]
    assert got.counts == (1, 1, 0, 0)
    frame().with_columns(replied=pl.lit("'\"`\\")).write_parquet(path)
    got = reader.read(path)
    assert got.reasons == ["replied: expected true or false, or a count, found ''\"`\\'"]
    if reader.name != "polars":
        assert json.loads(got.rows[0])[HOSTILE] == "x"


def test_tables_of_a_duckdb_database(tmp_path):
    path = tmp_path / "it's; a.duckdb"
    with duckdb.connect(path) as connection:
        quoted = HOSTILE.replace('"', '""')
        connection.register("rows", frame().to_arrow())
        for schema in ("one", "two", quoted):
            connection.execute(f'CREATE SCHEMA "{schema}"')
            connection.execute(f'CREATE TABLE "{schema}"."{quoted}" AS FROM rows')
        connection.execute(f'CREATE VIEW one.seen AS FROM one."{quoted}"')
    for options in (
        {"table": HOSTILE, "schema": HOSTILE}, {"table": f"one.{HOSTILE}"}, {"table": "seen"},
    ):  # fmt: skip
        with engine_enrollments(path, **options) as reading:
            assert collected(reading.frame)["user_id"].to_list() == [ROW[1]]
            assert "it's; a.duckdb" in reading.where
    with pytest.raises(ReadError, match="in several schemas"):
        engine_enrollments(path, table=HOSTILE)
    with pytest.raises(ReadError, match=r"no table 'one.sean'. Did you mean 'one.seen'"):
        engine_enrollments(path, table="sean", schema="one")
    with pytest.raises(ReadError, match="none was named"):
        engine_enrollments(path)


def test_a_database_that_another_process_writes_to(tmp_path):
    path = tmp_path / "busy.duckdb"
    code = (
        "import sys; from senderscore_nb.sources.engines import engine_enrollments as read;"
        "from senderscore_nb.errors import ReadError\n"
        "try: read(sys.argv[1], table='t')\nexcept ReadError as error: print(error)"
    )
    with duckdb.connect(path):
        command = [sys.executable, "-c", code, str(path)]
        got = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "DuckDB says" in got.stdout
    assert "Another process may be writing to it" in got.stdout


def test_a_table_of_sparks_catalog(spark):
    spark.sql("CREATE DATABASE IF NOT EXISTS crm_copy")
    try:
        spark.createDataFrame(frame().to_arrow()).createOrReplaceTempView("rows_to_put")
        spark.sql("CREATE TABLE crm_copy.enrollments USING parquet AS TABLE rows_to_put")
        with engine_enrollments("crm_copy.enrollments", engine="spark", session=spark) as reading:
            assert collected(reading.frame)["user_id"].to_list() == [ROW[1]]
        with pytest.raises(ReadError, match="Nothing to read"):
            engine_enrollments("crm_copy.nothing", engine="spark", session=spark)
    finally:
        spark.sql("DROP DATABASE crm_copy CASCADE")


def test_what_a_driver_takes_in_slices_is_all_there_is(spark, tmp_path):
    engine = SparkEngine(spark)
    engine.write_slices(spark.range(1000), str(tmp_path), slice_rows=300)
    engine.close()
    files = sorted(tmp_path.glob("*.parquet"))
    assert len(files) == 4
    assert sorted(pl.read_parquet(files)["id"].to_list()) == list(range(1000))


ENGINES = ("duckdb", pytest.param("spark", marks=ONE_PROCESS))


@pytest.fixture(params=ENGINES)
def engine(request):
    session = request.getfixturevalue("spark") if request.param == "spark" else None
    return {"engine": request.param, "session": session}


def test_what_is_wrong_is_said(engine, tmp_path):
    good, header = tmp_path / "good.csv", ",".join((*COLUMNS, "ended_on"))
    good.write_text(f"{header}\n{','.join((ROW[0], '7', *ROW[2:]))},\n")

    def said(source, kind=ReadError, **options):
        def read():
            with engine_enrollments(source, **{**engine, **options}) as reading:
                assert reading.counts is not None

        with pytest.raises(kind) as raised:
            read()
        text = str(raised.value)
        assert "\n" not in text
        assert "Traceback" not in text
        return text

    with engine_enrollments(good, **engine) as reading:
        assert tuple(reading.counts) == (1, 1, 0, 0)
        assert reading.mapping == "canonical"
    assert "Nothing to read was found" in said(tmp_path / "nowhere.parquet")
    assert "There is no engine 'dcukdb'. Did you mean 'duckdb'" in said(good, engine="dcukdb")
    assert "There is no time zone 'Europe/Berln'" in said(good, timezone="Europe/Berln")
    assert "named for a database alone" in said(good, table="t")
    assert "no mapping named 'hubspott'" in said(good, MappingError, mapping="hubspott")
    text = tmp_path / "times.csv"
    text.write_text(good.read_text().replace("2026-03-02", "2026-03-02T10:00"))
    assert "days depend on the time zone" in said(text)
    bad = tmp_path / "bad.csv"
    bad.write_text("enrollment_id,user_id\n1,2\n")
    assert "No header was found for sequence_id" in said(bad, MappingError)
    bad.write_text(good.read_text() + "2,7\n")
    assert "says: " in said(bad)
    bad.write_text(good.read_text() + "2,7,s,2026-03-02,1,0,,8,9\n")
    assert "says: " in said(bad)
    bad.write_bytes(good.read_bytes().replace(b"true", b"tr\xfce"))
    assert "not UTF-8" in said(bad)
    bad.write_bytes(b"")
    assert "empty" in said(bad)
    parquet = tmp_path / "bad.parquet"
    parquet.write_bytes(b"PAR1 and no more")
    assert "says: " in said(parquet)
    assert "Parquet and CSV files here" in said(tmp_path)
    (tmp_path / "x.xlsx").write_bytes(b"")
    assert "cannot be read by an engine" in said(tmp_path / "x.xlsx")


def test_what_only_one_engine_reads(spark, tmp_path):
    with pytest.raises(ReadError, match="Take the engine duckdb"):
        engine_enrollments("postgresql://u:pass@h/db", table="t", engine="spark", session=spark)
    with pytest.raises(ReadError, match="Take the engine duckdb"):
        engine_enrollments(tmp_path / "x.duckdb", table="t", engine="spark", session=spark)
    with pytest.raises(ReadError, match="engine spark"):
        engine_enrollments("s3a://bucket/rows")
    with pytest.raises(ReadError, match="Spark says"):
        engine_enrollments("nofs://bucket/rows", engine="spark", session=spark)


@pytest.mark.parametrize(
    ("package", "source", "extra"),
    [
        ("duckdb", "x.csv", "duckdb"),
        ("adbc_driver_postgresql", "postgresql://127.0.0.1:1/x", "postgres"),
    ],
)
def test_a_missing_package_is_named(monkeypatch, tmp_path, package, source, extra):
    real = builtins.__import__

    def without(name, *rest, **more):
        if name.split(".")[0] == package:
            raise ImportError(name)
        return real(name, *rest, **more)

    (tmp_path / "x.csv").write_text("a\n1\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ReadError, match=rf"pip install 'senderscore-nb\[{extra}\]'"):
        engine_enrollments(source, table="t" if "://" in source else None)


def test_postgresql_with_hostile_names(postgres, tmp_path):
    quoted = HOSTILE.replace('"', '""')[:60]
    name = HOSTILE[: len(quoted.replace('""', '"'))]
    values = ", ".join("'" + value.replace("'", "''") + "'" for value in ROW)
    table = f'"{quoted}"."{quoted}"'
    names = ", ".join(COLUMNS)
    postgres.run(
        f'CREATE SCHEMA "{quoted}"',
        f"CREATE TABLE {table} (\"{quoted}\" text DEFAULT 'x', enrollment_id text, user_id text, "
        "sequence_id varchar(9), enrolled_on date, replied text, bounced text, "
        "ended_on timestamptz)",
        f"INSERT INTO {table} ({names}) VALUES ({values})",  # noqa: S608
        f"INSERT INTO {table} ({names}) VALUES ('2', '7', 's', 'infinity', '', ''), "  # noqa: S608
        "('3', '7', 's', '2026-01-01', '', ''), ('4', '7', NULL, '4000-01-01 BC', '', '')",
        f"UPDATE {table} SET ended_on = 'infinity' WHERE enrollment_id = '3'",  # noqa: S608
    )
    with engine_enrollments(postgres.url, table=name, timezone="UTC") as reading:
        assert collected(reading.frame)["user_id"].to_list() == [ROW[1]]
        assert tuple(reading.counts) == (4, 1, 3, 0)
        reasons = sorted(collected(reading.rejected)["reason"].to_list())
    assert "found 'infinity'" in reasons[0]
    assert "BC" in " ".join(reasons)
    with pytest.raises(ReadError, match="days depend on the time zone"):
        engine_enrollments(postgres.url, table=name)
    with pytest.raises(ReadError, match="no table 'nothing'"):
        engine_enrollments(postgres.url, table="nothing", timezone="UTC")
    with pytest.raises(ReadError, match="none was named"):
        engine_enrollments(postgres.url, timezone="UTC")


def test_a_password_is_never_said(postgres, monkeypatch):
    secret = "sw0rdf1sh"  # noqa: S105
    wrong = postgres.url.replace("@127", f":{secret}@127")
    monkeypatch.delenv("PGPASSWORD")
    said = []
    for url in (
        wrong, wrong.replace("127.0.0.1", "127.0.0.1:1,127.0.0.1"), f"postgresql://u:{secret}@[",
        f"postgresql://127.0.0.1:1/x?password={secret}&odd=1",
        f"postgresql://127.0.0.1:1/x?sslpassword={secret}",
        f"postgresql://u:{secret}@127.0.0.1:1/x#y",
    ):  # fmt: skip
        with pytest.raises(ReadError, match="PGPASSWORD") as raised:
            engine_enrollments(url, table="t")
        said.append(str(raised.value))
        with pytest.raises(ReadError) as raised:
            read_warehouse(url, timezone="UTC")
        said.append(str(raised.value))
    assert secret not in "".join(said)
    assert "password authentication failed" in said[0]
    assert without_password("postgresql://u:a%2Fb@h/d")[1] == "a/b"
    for password in ("pa/SECRET", "pa?SECRET", "pa#SECRET", "p@SECRET", "pa:SECRET"):
        shown, secret = without_password(f"postgresql://u:{password}@h/d")
        assert shown == "postgresql://u:***@h/d"
        assert secret == password
    assert without_password("postgresql://h/d?password=SE%20CRET&a=1") == (
        "postgresql://h/d?password=***&a=1",
        "SE CRET",
    )
    monkeypatch.setenv("PGPASSWORD", PASSWORD)


def test_a_copy_in_postgresql_is_what_the_plain_file_is(postgres, tmp_path):
    sim = simulate_mails(simulate_rows(7, weeks=3, volume=0.05), last_day=LAST_DAY, seed=3)
    from adbc_driver_postgresql import dbapi

    postgres.run('CREATE SCHEMA "Hub copy"')
    with dbapi.connect(postgres.url) as connection:
        for name, table in fivetran(sim).items():
            with connection.cursor() as cursor:
                cursor.adbc_ingest(name, table.to_arrow(), db_schema_name="Hub copy")
        connection.commit()
    path = tmp_path / "mails.parquet"
    sim.mails.write_parquet(path)
    want = read_emails(path, timezone=TIMEZONE, owners=sim.owners)
    got = read_warehouse(postgres.url, timezone=TIMEZONE, schema="Hub copy")
    assert got.accepted.height > 100
    order = ["enrollment_id", "contact_id"]
    assert got.accepted.sort(order).equals(want.accepted.sort(order))
    assert got.read == want.read + 40
    assert PASSWORD not in got.files[0].path


def test_other_errors_are_not_taken_for_an_engines():
    with pytest.raises(KeyError), in_words("here"):
        raise KeyError("x")
