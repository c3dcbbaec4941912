"""docs/warehouse.md says what is true: its examples run."""

from __future__ import annotations

import re
import shlex

import duckdb
import polars as pl
from click.testing import CliRunner

from senderscore_nb.cli import main
from senderscore_nb.sample.account import LAST_DAY
from senderscore_nb.sample.generate import simulate_rows
from senderscore_nb.sample.mails import simulate_mails
from senderscore_nb.sources.engines import engine_enrollments
from senderscore_nb.sources.engines.places import DATABASES
from senderscore_nb.sources.warehouse.layouts import LAYOUTS
from tests.conftest import ROOT
from tests.engines import collected
from tests.warehouses import airbyte, fivetran, put_folder

PAGE = (ROOT / "docs" / "warehouse.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_the_first_example_runs(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    exec(compile(PYTHON[0], "warehouse.md", "exec"), {})  # noqa: S102
    said = capsys.readouterr().out
    assert "Counts(read=64059, accepted=64059, rejected=0, duplicates=0)" in said
    assert "bounced" in said


def test_the_other_examples_run_with_sources_that_are_there(spark, postgres):
    table = "enrollment_id text, user_id text, sequence_id text, enrolled_on {}, ended_on {}, "
    table += "replied boolean, bounced boolean"
    postgres.run(
        "CREATE SCHEMA sales",
        f"CREATE TABLE sales.enrollments ({table.format('timestamptz', 'date')})",
        "INSERT INTO sales.enrollments VALUES "
        "('1', '7', 's', '2026-12-31 23:30+00', NULL, 't', 'f')",
    )
    spark.sql("CREATE DATABASE IF NOT EXISTS crm")
    try:
        spark.sql(
            "CREATE TABLE crm.enrollments USING parquet AS SELECT '1' enrollment_id, '7' user_id, "
            "'s' sequence_id, TIMESTAMP_NTZ'2026-12-31 23:30:00' enrolled_on, "
            "CAST(NULL AS DATE) ended_on, true replied, false bounced"
        )
        for code in PYTHON[1:]:
            names = {"engine_enrollments": engine_enrollments}
            address = "postgresql://reader@db.example.com/crm"
            exec(code.replace(address, postgres.url), names)  # noqa: S102
            with names["reading"] as reading:
                assert str(collected(reading.frame)["enrolled_on"][0]) == "2027-01-01"
    finally:
        spark.sql("DROP DATABASE crm CASCADE")


def test_the_commands_run(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    sim = simulate_mails(simulate_rows(5, weeks=4, volume=0.05), last_day=LAST_DAY, seed=1)
    put_folder(fivetran(sim), tmp_path / "copy")
    with duckdb.connect("warehouse.duckdb") as connection:
        connection.execute("CREATE SCHEMA hubspot")
        for name, table in airbyte(sim).items():
            connection.register("rows", table.to_arrow())
            connection.execute(f"CREATE TABLE hubspot.{name} AS FROM rows")
    (commands,) = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    heights = set()
    for line in commands.splitlines():
        program, *arguments = shlex.split(line)
        assert program == ".venv/bin/senderscore"
        got = CliRunner().invoke(main, arguments)
        assert got.exit_code == 0, (line, got.output)
        heights.add(pl.read_parquet("enrollments.parquet").height)
    assert len(heights) == 1


def test_the_tables_and_endings_are_named():
    for layout in LAYOUTS:
        for name in (layout.mails, layout.owners, layout.deleted, *layout.beside):
            assert name in PAGE, name
    for ending in DATABASES:
        assert f"`{ending}`" in PAGE
