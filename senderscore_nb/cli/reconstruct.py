"""The command that reconstructs enrollments from e-mail objects."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import click

from senderscore_nb.cli.base import ending_orderly
from senderscore_nb.errors import SenderScoreError

_ENDINGS = ("parquet", "csv")


@click.command()
@click.argument("mails", nargs=-1, required=True)
@click.option("--timezone", required=True, metavar="ZONE",
              help="The account's time zone, as Europe/Berlin.")  # fmt: skip
@click.option("--owners", metavar="FILE", help="Owner ids with their user ids and addresses.")
@click.option("--aliases", metavar="FILE", help="Addresses that stand for another: alias, address.")
@click.option("--sequences", metavar="FILE", help="Names of sequences: sequence_id, sequence_name.")
@click.option("--gap-days", type=float, metavar="N",
              help="A longer gap between mails begins a new enrollment; 21.")  # fmt: skip
@click.option("--settle-days", type=float, metavar="N",
              help="So long after its last mail an enrollment ends; 3.")  # fmt: skip
@click.option("--reply-days", type=float, metavar="N",
              help="So long after the last mail any mail back is a reply; 30.")  # fmt: skip
@click.option("--as-of", metavar="INSTANT",
              help="Leave out what is later, as 2026-11-16T00:00+01:00.")  # fmt: skip
@click.option("--engine", type=click.Choice(["duckdb", "spark"]),
              help="MAILS is a warehouse's copy by Fivetran or Airbyte, read by this.")  # fmt: skip
@click.option("--schema", metavar="NAME", help="Where a database has the copy.")
@click.option("--layout", type=click.Choice(["fivetran", "airbyte"]),
              help="Whose copy it is; found by its tables unless given.")  # fmt: skip
@click.option("--rejects", metavar="FILE",
              help="Where to write rejected mails; beside the output unless given.")  # fmt: skip
@click.option("--output", "-o", required=True, metavar="FILE",
              help="Enrollments, as Parquet or CSV.")  # fmt: skip
def reconstruct(
    mails: Sequence[str],
    timezone: str,
    owners: str | None,
    aliases: str | None,
    sequences: str | None,
    as_of: str | None,
    engine: Literal["duckdb", "spark"] | None,
    schema: str | None,
    layout: Literal["fivetran", "airbyte"] | None,
    rejects: str | None,
    output: str,
    **days: float | None,
) -> None:
    """Reconstruct enrollments from e-mail objects of the CRM.

    MAILS are CSV, TSV, XLSX or Parquet files with the API's names as headers; or one copy of
    HubSpot by Fivetran or Airbyte: a DuckDB database, postgresql://… (the password is taken from
    PGPASSWORD or ~/.pgpass), or with --engine a folder with a file for each table. The output
    reads with `senderscore score`.
    """
    from senderscore_nb.output import format_of, write_frame
    from senderscore_nb.progress import work_progress
    from senderscore_nb.sources import write_rejects
    from senderscore_nb.sources.emails import EmailRules, describe_emails, read_emails
    from senderscore_nb.sources.engines.places import is_database, is_postgres
    from senderscore_nb.sources.warehouse import read_warehouse

    form = format_of(output)
    if form not in _ENDINGS:
        raise SenderScoreError(
            f"The ending of {output!r} is not known.", hint="Write to a .parquet or a .csv file."
        )
    given: dict[str, Any] = {name: value for name, value in days.items() if value is not None}
    if as_of:
        given["as_of"] = _instant(as_of)
    how: dict[str, Any] = {
        "timezone": timezone, "owners": owners, "aliases": aliases, "sequences": sequences,
        "rules": EmailRules(**given),
    }  # fmt: skip
    copied = engine or schema or layout or any(is_postgres(s) or is_database(s) for s in mails)
    if copied and len(mails) > 1:
        raise SenderScoreError("A warehouse's copy is read by itself: name one source.")
    with ending_orderly(), work_progress("Reading the mails") as (say, advance):
        how |= {"progress": say, "advance": advance}
        if copied:
            asked: dict[str, Any] = {"engine": engine or "duckdb", "schema": schema}
            reading = read_warehouse(mails[0], layout=layout, **asked, **how)
        else:
            reading = read_emails(list(mails), **how)
    write_frame(reading.accepted, form, output)
    click.echo(describe_emails(reading))
    click.echo(f"Enrollments were written to {output}.")
    if reading.rejected.height:
        path = Path(rejects) if rejects else Path(output).with_suffix(".rejected.csv")
        write_rejects(reading, path)
        click.echo(f"Rejected mails were written to {path}.")


def _instant(text: str) -> Any:
    import datetime as dt

    try:
        at = dt.datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise SenderScoreError(
            f"--as-of {text}: not an instant.", hint="Write it with its offset: 2026-11-16T00:00Z."
        )
    return at
