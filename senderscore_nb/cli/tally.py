"""The command that counts: enrollments, wherever they lie → a tally file or a tally store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import click

from senderscore_nb.cli.base import ending_orderly, policy_option, say
from senderscore_nb.cli.store import tell_update
from senderscore_nb.errors import SenderScoreError

if TYPE_CHECKING:
    import polars as pl

    from senderscore_nb.policy import CountingRules
    from senderscore_nb.store import Days, TallyStore
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
@click.option("--days", metavar="DAYS",
              help="Days of a store that SOURCE holds whole, as 2026-11-02..2026-11-15; from the "
              "first to the last day in it unless given.")  # fmt: skip
@click.option("--output", "-o", required=True, metavar="FILE|STORE",
              help="A tally file (.parquet), or the folder of a tally store.")  # fmt: skip
def tally(
    source: Sequence[str],
    timezone: str | None,
    policy: str | None,
    rejects: str | None,
    days: str | None,
    output: str,
    **how: Any,
) -> None:
    """Count enrollments by sender, sequence and day, with the engine that holds them.

    SOURCE is a file, a folder or a glob; for an engine, which reads a folder with its subfolders,
    also a DuckDB database, postgresql://… or a table that Spark knows. What comes after works on
    the tallies: `senderscore score tallies.parquet`. A store's days are replaced whole, as by
    `senderscore store update`; no more than a month's tallies are held.
    """
    target = _Target.of(output, policy, timezone, days)
    refused = Path(rejects) if rejects else Path(output).absolute().with_suffix(".rejected.csv")
    _require_folder(refused)
    with ending_orderly(), _opened(source, target.timezone or None, **how) as rows:
        if rows.rejected_count:
            _write_rejected(rows, refused)
        if rows.read and rows.read == rows.rejected_count:
            raise SenderScoreError(
                f"All {rows.read:,} rows were rejected, and {output} is left as it was.",
                hint="The first reason: " + rows.rejected["reason"][0],
            )
        target.write(rows)


@dataclass(frozen=True)
class _Target:
    """Where tallies go, what they are counted under, and which days of a store they replace."""

    output: str
    rules: CountingRules
    timezone: str
    days: Days | None
    store: TallyStore | None

    @classmethod
    def of(cls, output: str, policy: str | None, timezone: str | None, days: str | None) -> Self:
        """What can be known to be wrong with it is said before anything is read."""
        from senderscore_nb.policy import DEFAULT_POLICY, load_policy
        from senderscore_nb.store import Days, TallyStore
        from senderscore_nb.store.known import agree

        rules = load_policy(policy or DEFAULT_POLICY).counting
        if output.casefold().endswith(".parquet"):
            if days:
                raise SenderScoreError("--days are a store's days, and this is a file.")
            _require_folder(Path(output))
            return cls(output, rules, timezone or "", None, None)
        if Path(output).suffix or Path(output).is_file():
            raise SenderScoreError(
                f"{output!r} is no tally file and no folder.",
                hint="Write to a .parquet file, or to a folder, which becomes a tally store.",
            )
        store = TallyStore(output)
        if (state := store.state_or_none()) is not None:
            rules = rules if policy else state.rules
            timezone = timezone or state.timezone
            agree(state, rules, timezone, where=store.folder)
        return cls(output, rules, timezone or "", Days.parse(days) if days else None, store)

    def write(self, rows: _Rows) -> None:
        """Count, write, and say so."""
        from senderscore_nb.store import count, count_into, write_tallies

        taken = f"{rows.read - rows.rejected_count:,} enrollments"
        if self.store is None:
            tallied = count(rows.enrollments, rules=self.rules, timezone=self.timezone)
            write_tallies(self.output, tallied)
            ended, cells = tallied.tallies["ended"].sum(), tallied.tallies.height
            click.echo(f"{taken}, {ended:,} of them ended, are {cells:,} tallies in {self.output}.")
            return
        how: dict[str, Any] = {"rules": self.rules, "timezone": self.timezone, "days": self.days}
        click.echo(f"{taken} were counted.")
        tell_update(self.store, count_into(self.store, rows.enrollments, say=say, **how))


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
        from senderscore_nb.sources.engines.places import is_database, is_postgres

        if any(is_postgres(item) or is_database(item) for item in source):
            raise SenderScoreError(
                "A database is counted by an engine.", hint="Add --engine duckdb."
            )
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

    from senderscore_nb.safe import without_login
    from senderscore_nb.sources.engines import engine_enrollments, in_words, spark_session
    from senderscore_nb.sources.engines.places import is_database, is_postgres
    from senderscore_nb.tally import NEEDED

    if master and engine != "spark":
        raise SenderScoreError("--master is Spark's cluster.", hint="Add --engine spark.")
    say(f"Opening {without_login(source[0])} with {engine} …")
    asked: dict[str, Any] = {"engine": engine, "table": table, "timezone": timezone}
    asked |= {"mapping": mapping, "trust_ids": trust_ids, **naive}
    if engine == "spark" and not (is_postgres(source[0]) or is_database(source[0])):
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


def _require_folder(path: Path) -> None:
    if not path.absolute().parent.is_dir():
        raise SenderScoreError("There is no such folder.", where=str(path.parent))


def _write_rejected(rows: _Rows, path: Path) -> None:
    from senderscore_nb.sources import write_rejects

    write_rejects(rows, path)
    written, count = rows.rejected.height, rows.rejected_count
    some = "they are" if written == count else f"the first {written:,} are"
    click.echo(f"{count:,} of {rows.read:,} rows were rejected; {some} in {path}.")
