"""Copies of HubSpot in a warehouse reconstruct to what the plain file of mails does."""

from __future__ import annotations

import duckdb
import polars as pl
import pytest
from click.testing import CliRunner

from senderscore_nb.cli import main
from senderscore_nb.errors import MappingError, ReadError
from senderscore_nb.sample.account import LAST_DAY, TIMEZONE
from senderscore_nb.sample.generate import simulate_rows
from senderscore_nb.sample.mails import SimulatedMail, simulate_mails
from senderscore_nb.sources.emails import EmailReading, describe_emails, read_emails
from senderscore_nb.sources.warehouse import read_warehouse
from senderscore_nb.sources.warehouse.read import DELETED
from tests.engines import ONE_PROCESS
from tests.warehouses import LAYOUTS, fivetran, put_folder

DELETED_ROWS = {"fivetran": 40, "airbyte": 80, "airbyte_json": 80, "airbyte_struct": 80}


@pytest.fixture(scope="module")
def sim() -> SimulatedMail:
    return simulate_mails(simulate_rows(7, weeks=6, volume=0.05), last_day=LAST_DAY, seed=3)


@pytest.fixture(scope="module")
def plain(sim: SimulatedMail, tmp_path_factory: pytest.TempPathFactory) -> EmailReading:
    path = tmp_path_factory.mktemp("plain") / "mails.parquet"
    sim.mails.write_parquet(path)
    return read_emails(path, timezone=TIMEZONE, owners=sim.owners)


def assert_same(got: EmailReading, plain: EmailReading, deleted: int, versions: int = 0) -> None:
    """The same enrollments; every row of the table has its fate."""
    order = ["enrollment_id", "contact_id"]
    assert got.accepted.height > 300
    assert got.accepted.sort(order).equals(plain.accepted.sort(order))
    fates = dict(got.fates.filter(fate="ignored").select("what", "mails").iter_rows())
    assert fates.pop(DELETED, 0) == deleted
    want = dict(plain.fates.filter(fate="ignored").select("what", "mails").iter_rows())
    older = "an older copy of a mail"
    assert fates.pop(older, 0) == want.pop(older, 0) + versions
    assert fates == want
    assert got.read == plain.read + deleted + versions == got.fates["mails"].sum()


@pytest.mark.parametrize("engine", ["duckdb", pytest.param("spark", marks=ONE_PROCESS)])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_layout_is_what_the_plain_file_is(request, sim, plain, tmp_path, engine, layout):
    session = request.getfixturevalue("spark") if engine == "spark" else None
    folder = put_folder(LAYOUTS[layout](sim), tmp_path / "it's a [copy]")
    got = read_warehouse(folder, timezone=TIMEZONE, engine=engine, session=session)
    assert_same(got, plain, DELETED_ROWS[layout], versions=0 if layout == "fivetran" else 30)
    assert got.files[0].form == engine
    assert got.with_owners


def test_a_duckdb_database(sim, plain, tmp_path):
    path = tmp_path / "it's.duckdb"
    with duckdb.connect(path) as connection:
        connection.execute('CREATE SCHEMA "hub""spot"')
        for name, table in LAYOUTS["airbyte_struct"](sim).items():
            connection.register("rows", table.to_arrow())
            connection.execute(f'CREATE TABLE "hub""spot"."{name.upper()}" AS FROM rows')
    got = read_warehouse(path, timezone=TIMEZONE)
    assert_same(got, plain, 80, versions=30)
    for schema in ("nope", 'hub"spot'):
        if schema == "nope":
            with pytest.raises(ReadError, match=r"no table in the schema 'nope'"):
                read_warehouse(path, timezone=TIMEZONE, schema=schema)
        else:
            assert read_warehouse(path, timezone=TIMEZONE, schema=schema).read == got.read


def test_a_schema_of_sparks_catalog(spark, sim, plain):
    spark.sql("CREATE DATABASE IF NOT EXISTS hub_copy")
    try:
        for name, table in fivetran(sim).items():
            spark.createDataFrame(table.to_arrow()).createOrReplaceTempView("rows_to_put")
            spark.sql(f"CREATE TABLE hub_copy.{name} USING parquet AS TABLE rows_to_put")
        got = read_warehouse("hub_copy", timezone=TIMEZONE, engine="spark", session=spark)
        assert_same(got, plain, 40)
    finally:
        spark.sql("DROP DATABASE hub_copy CASCADE")


def test_text_without_types_is_read_as_well(sim, plain, tmp_path):
    """CSV, and an instant with an offset for what is UTC."""
    tables = fivetran(sim)
    folder = tmp_path / "csv"
    folder.mkdir()
    for name, table in tables.items():
        told = [n for n, kind in table.schema.items() if isinstance(kind, pl.Datetime)]
        texts = table.with_columns(pl.col(told).dt.strftime("%Y-%m-%d %H:%M:%S%.6f+00"))
        if name == "engagement_email":
            texts = texts.with_columns(
                pl.col(told).str.replace(r"\+00$", "Z").str.replace(" ", "T")
            )
        texts.write_csv(folder / f"{name}.csv.gz".removesuffix(".gz"))
    assert_same(read_warehouse(folder, timezone=TIMEZONE), plain, 40)


def test_rejected_mails_are_told_with_their_table(sim, tmp_path):
    tables = fivetran(sim)
    mails = tables["engagement_email"].with_columns(
        property_hs_email_status=pl.when(pl.int_range(pl.len()) == 0)
        .then(pl.lit("<b>odd</b>"))
        .otherwise("property_hs_email_status"),
        property_hs_email_direction=pl.lit("EMAIL"),
        property_hs_sequence_id=pl.lit("31"),
    )
    folder = put_folder(tables | {"engagement_email": mails}, tmp_path / "copy")
    got = read_warehouse(folder, timezone=TIMEZONE)
    odd = got.rejected.filter(pl.col("reason").str.contains("odd"))
    assert odd["file"].to_list() == [f"{folder}: engagement_email"]
    assert odd["line"].to_list() == [None]
    assert "hs_object_id" in odd["row"][0]
    assert got.read == got.fates["mails"].sum()
    assert DELETED in describe_emails(got)


def test_what_is_not_there_is_said(sim, tmp_path):
    with pytest.raises(ReadError, match="no such folder"):
        read_warehouse(tmp_path / "nowhere", timezone=TIMEZONE)
    folder = put_folder(fivetran(sim), tmp_path / "copy")
    with pytest.raises(ReadError, match="no table 'engagements_emails'"):
        read_warehouse(folder, timezone=TIMEZONE, layout="airbyte")
    with pytest.raises(ReadError, match="no time zone"):
        read_warehouse(folder, timezone="Mars/Base")
    with pytest.raises(ReadError, match="no layout 'stitch'"):
        read_warehouse(folder, timezone=TIMEZONE, layout="stitch")
    with pytest.raises(ReadError, match="no engine 'flink'"):
        read_warehouse(folder, timezone=TIMEZONE, engine="flink")
    (tmp_path / "copy" / "engagements_emails.csv").write_text("id\n1\n")
    with pytest.raises(ReadError, match="copies of Fivetran and of Airbyte"):
        read_warehouse(folder, timezone=TIMEZONE)
    with pytest.raises(MappingError, match="no column for hs_timestamp, hs_email_direction"):
        read_warehouse(folder, timezone=TIMEZONE, layout="airbyte")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(ReadError, match="no table 'engagement_email' or 'engagements_emails'"):
        read_warehouse(empty, timezone=TIMEZONE)
    (tmp_path / "bad.duckdb").write_text("no database")
    with pytest.raises(ReadError, match="DuckDB says"):
        read_warehouse(tmp_path / "bad.duckdb", timezone=TIMEZONE)


def test_an_empty_copy_has_no_enrollments(sim, tmp_path):
    tables = {name: table.clear() for name, table in fivetran(sim).items()}
    got = read_warehouse(put_folder(tables, tmp_path / "copy"), timezone=TIMEZONE)
    assert (got.read, got.accepted.height, got.rejected.height) == (0, 0, 0)


def test_nothing_is_left_behind(sim, tmp_path, monkeypatch):
    scratch = tmp_path / "tmp"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    read_warehouse(put_folder(fivetran(sim), tmp_path / "copy"), timezone=TIMEZONE)
    with pytest.raises(ReadError):
        read_warehouse(tmp_path / "nowhere", timezone=TIMEZONE)
    assert list(scratch.iterdir()) == []


def test_the_command(sim, plain, tmp_path):
    folder = put_folder(fivetran(sim), tmp_path / "copy")
    output = tmp_path / "out.parquet"
    run = ["reconstruct", str(folder), "--timezone", TIMEZONE, "-o", str(output)]
    got = CliRunner().invoke(main, [*run, "--engine", "duckdb"])
    assert got.exit_code == 0, got.output
    assert f"40 {DELETED}" in got.output
    assert pl.read_parquet(output).height == plain.accepted.height
    several = CliRunner().invoke(main, [*run, "--engine", "duckdb", str(folder)])
    assert several.exit_code == 2
    assert "name one source" in several.output


def test_whose_copy_it_is_can_be_said(sim, plain, tmp_path):
    for name, table in {**LAYOUTS["airbyte_struct"](sim), **fivetran(sim)}.items():
        table.write_parquet(tmp_path / f"{name}.parquet")
    output = tmp_path / "out.parquet"
    command = ["reconstruct", str(tmp_path), "--timezone", TIMEZONE, "-o", str(output)]
    asked = CliRunner().invoke(main, [*command, "--engine", "duckdb"])
    assert (asked.exit_code, "--layout fivetran" in asked.output) == (2, True)
    got = CliRunner().invoke(main, [*command, "--layout", "fivetran"])
    assert got.exit_code == 0, got.output
    assert pl.read_parquet(output).height == plain.accepted.height
