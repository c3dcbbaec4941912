"""The command that counts: enrollments, wherever they lie → a tally file or a tally store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from senderscore_nb.cli.base import policy_option, say
from senderscore_nb.errors import SenderScoreError

if TYPE_CHECKING:
    import polars as pl

    from senderscore_nb.policy import CountingRules
    from senderscore_nb.tally import Enrollments

ENGINES = ("polars", "duckdb", "spark")
_REJECTED = 100_000
"""So many rejected rows are written, where an engine holds more."""

_LARGE = 500_000_000
"""Bytes of files from which polars' way of holding them is worth a word."""


@click.command()
@click.argument("source", nargs=-1, required=True)
@click.option("--engine", type=click.Choice(ENGINES), default="polars", show_default=True,
              help="What counts: polars reads exports of any form; duckdb and spark count tables "
              "and files where they lie.")  # fmt: skip
@click.option("--timezone", metavar="ZONE", help="The account's time zone, as Europe/Berlin.")
@click.option("--mapping", metavar="NAME|FILE",
              help="How headers become columns; found unless given.")  # fmt: skip
@policy_option
@click.option("--table", metavar="NAME", help="The table of a database, as schema.name.")
@click.option("--naive-timestamps", type=click.Choice(["account", "UTC"]), default="account",
              show_default=True, help="Whose clock times without a zone are of.")  # fmt: skip
@click.option("--master", metavar="URL",
              help="Spark's cluster, as spark://HOST:PORT or yarn; SPARK_MASTER unless "
              "given.")  # fmt: skip
@click.option("--trust-ids", is_flag=True,
              help="Skip the look for ids that are there twice.")  # fmt: skip
@click.option("--rejects", metavar="FILE",
              help="Where to write rejected rows; beside the output unless given.")  # fmt: skip
@click.option("--output", "-o", required=True, metavar="FILE|STORE",
              help="A tally file (.parquet), or the folder of a tally store.")  # fmt: skip
def tally(
    source: Sequence[str],
    timezone: str | None,
    policy: str | None,
    rejects: str | None,
    output: str,
    **how: Any,
) -> None:
    """Count enrollments by sender, sequence and day, with the engine that holds them.

    SOURCE is a file, a folder or a glob; for an engine also a DuckDB database, postgresql://… or a
    table that Spark knows. What comes after works on the tallies: `senderscore score
    tallies.parquet`. A store is filled a month at a time, each day replaced whole.
    """
    from senderscore_nb.policy import DEFAULT_POLICY, load_policy

    rules = load_policy(policy or DEFAULT_POLICY).counting
    if not output.casefold().endswith(".parquet") and Path(output).suffix:
        raise SenderScoreError(
            f"The ending of {output!r} is not known.",
            hint="Write to a .parquet file, or to a folder, which becomes a tally store.",
        )
    with _opened(source, timezone, **how) as rows:
        told = _write(rows, rules, timezone or "", output)
        click.echo(told)
        if rows.rejected_count:
            path = Path(rejects) if rejects else Path(output).with_suffix(".rejected.csv")
            _write_rejected(rows, path)


@dataclass(frozen=True)
class _Rows:
    """Enrollments to count, and what was not taken."""

    enrollments: Enrollments
    read: int
    rejected_count: int
    rejected: pl.DataFrame


@contextmanager
def _opened(
    source: Sequence[str],
    timezone: str | None,
    *,
    engine: str,
    mapping: str | None,
    table: str | None,
    master: str | None,
    trust_ids: bool,
    **naive: Any,
) -> Iterator[_Rows]:
    if engine == "polars":
        if table or master or trust_ids or naive["naive_timestamps"] != "account":
            raise SenderScoreError(
                "--table, --master, --trust-ids and --naive-timestamps are for an engine.",
                hint="Add --engine duckdb or --engine spark.",
            )
        from senderscore_nb.sources import read_enrollments

        _warn_of_size(source)
        reading = read_enrollments(list(source), mapping=mapping, timezone=timezone, progress=say)
        yield _Rows(reading.accepted, reading.read, reading.rejected.height, reading.rejected)
        return
    if len(source) > 1:
        raise SenderScoreError(
            f"An engine reads one source, and these are {len(source)}.",
            hint="Name a folder, or a glob in quotes: 'enrollments/*.parquet'.",
        )
    import polars as pl

    from senderscore_nb.sources.engines import engine_enrollments, in_words, spark_session
    from senderscore_nb.tally import NEEDED

    say(f"Opening {source[0]} with {engine} …")
    asked: dict[str, Any] = {"engine": engine, "table": table, "timezone": timezone}
    asked |= {"mapping": mapping, "trust_ids": trust_ids, **naive}
    if engine == "spark":
        asked["session"] = spark_session(master)
    with engine_enrollments(source[0], **asked) as found, in_words(found.where):
        counts = found.counts
        say(f"{counts.read:,} rows, {counts.rejected:,} of them rejected.")
        rejected = found.first_rejected(_REJECTED) if counts.rejected else pl.DataFrame()
        yield _Rows(found.kept(NEEDED), counts.read, counts.rejected, rejected)


def _warn_of_size(source: Sequence[str]) -> None:
    from senderscore_nb.sources.raw import find_files

    size = sum(path.stat().st_size for path in find_files(list(source)))
    if size > _LARGE:
        click.echo(
            f"{size / 1e9:.1f} GB are read into memory; --engine duckdb counts files without "
            "holding their rows.",
            err=True,
        )


def _write(rows: _Rows, rules: CountingRules, timezone: str, output: str) -> str:
    """Count and write; a line about it."""
    from senderscore_nb.store import Days, TallyStore, count, count_by_month, write_tallies

    ended = cells = 0
    if output.casefold().endswith(".parquet"):
        tallied = count(rows.enrollments, rules=rules, timezone=timezone)
        write_tallies(output, tallied)
        ended, cells = int(tallied.tallies["ended"].sum()), tallied.tallies.height
    else:
        store = TallyStore(output)
        for first, last, part in count_by_month(rows.enrollments, rules=rules, timezone=timezone):
            say(f"{first:%Y-%m}: {part.tallies.height:,} cells.")
            store.replace(part, days=Days(first, last))
            ended, cells = ended + int(part.tallies["ended"].sum()), cells + part.tallies.height
    return (
        f"{rows.read - rows.rejected_count:,} enrollments, {ended:,} of them ended, are "
        f"{cells:,} tallies in {output}."
    )


def _write_rejected(rows: _Rows, path: Path) -> None:
    from senderscore_nb.sources import write_rejects

    write_rejects(rows, path)
    written, count = rows.rejected.height, rows.rejected_count
    some = "they are" if written == count else f"the first {written:,} are"
    click.echo(f"{count:,} of {rows.read:,} rows were rejected; {some} in {path}.")
