"""A copy of HubSpot in a warehouse → enrollments."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from senderscore_nb.errors import ReadError, did_you_mean
from senderscore_nb.safe import shown
from senderscore_nb.sources.days import known_zone
from senderscore_nb.sources.emails import EmailReading, EmailRules, read_emails
from senderscore_nb.sources.emails.fates import FATES
from senderscore_nb.sources.engines.duck import DuckEngine
from senderscore_nb.sources.engines.engine import Engine
from senderscore_nb.sources.engines.enrollments import ENGINES, EngineName
from senderscore_nb.sources.engines.places import is_database, is_postgres, without_password
from senderscore_nb.sources.engines.sparks import SparkEngine
from senderscore_nb.sources.engines.trouble import in_words
from senderscore_nb.sources.reading import SourceFile
from senderscore_nb.sources.warehouse.layouts import LayoutName, found_layout
from senderscore_nb.sources.warehouse.mails import mails_of, owners_of
from senderscore_nb.sources.warehouse.tables import opened

DELETED = "deleted in the CRM"
_DEFAULT = EmailRules()


def read_warehouse(
    source: str | Path,
    *,
    timezone: str,
    engine: EngineName = "duckdb",
    schema: str | None = None,
    layout: LayoutName | None = None,
    owners: str | Path | pl.DataFrame | None = None,
    aliases: str | Path | dict[str, str] | None = None,
    sequences: str | Path | pl.DataFrame | None = None,
    rules: EmailRules = _DEFAULT,
    session: Any = None,
    progress: Callable[[str], None] | None = None,
    advance: Callable[[int, int], None] | None = None,
) -> EmailReading:
    """Reconstruct enrollments from the mails in a copy of HubSpot by Fivetran or Airbyte.

    The engine picks the columns that are needed, leaves out mails that were deleted, and streams
    the others into a temporary folder, from which they are read as files of mails are.

    Args:
        source: A folder with a file or a folder for each table; a DuckDB database; or
            `postgresql://…` (these two by DuckDB); for Spark also a schema of its catalog.
        timezone: The account's time zone (IANA): days and hours are there.
        engine: `duckdb` or `spark`.
        schema: Of the database; found by its table of mails unless given.
        layout: `fivetran` or `airbyte`; found by the table of mails unless given.
        owners: As for `read_emails`; the copy's own table of owners unless given.
        aliases: As for `read_emails`.
        sequences: As for `read_emails`.
        rules: Gaps and windows. `naive_timestamps` says what times without a zone are.
        session: A DuckDB connection or a Spark session to work in.
        progress: Called with a line about each step.
        advance: As for `read_emails`.

    Returns:
        An `EmailReading`. Deleted mails are among the ignored, and older versions as well.

    Raises:
        ReadError: The source cannot be read, or has no table of mails.
        MappingError: The table of mails has no column for what is needed.
    """
    known_zone(timezone)
    source = str(source)
    if engine not in ENGINES:
        raise ReadError(
            f"There is no engine {shown(engine)!r}.", hint=did_you_mean(str(engine)[:60], ENGINES)
        )
    where = without_password(source)[0] if is_postgres(source) else source
    if engine == "spark" and (is_postgres(source) or is_database(source)):
        raise ReadError(
            "Spark does not read this by itself.", where=where, hint="Take the engine duckdb."
        )
    scratch = Path(tempfile.mkdtemp(prefix="senderscore-warehouse-"))
    staged = scratch / "staged"
    staged.mkdir()
    try:
        # The engine lets go of its memory before the mails are worked on.
        asked = _Asked(source, where, engine, schema, layout, session)
        copy = _staged(asked, scratch, staged, progress)
        reading = read_emails(
            staged, timezone=timezone, owners=copy.owners if owners is None else owners,
            aliases=aliases, sequences=sequences, rules=rules,
            progress=_without(str(staged), progress), advance=advance,
        )  # fmt: skip
        return _told(reading, copy, f"{where}: {copy.table}", engine)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


@dataclass(frozen=True)
class _Asked:
    """What `read_warehouse` is asked for; `where` is the source as it may be shown."""

    source: str
    where: str
    engine: EngineName
    schema: str | None
    layout: LayoutName | None
    session: Any


@dataclass(frozen=True)
class _Copy:
    """What was found: owners, the table of mails, its rows, and those that count."""

    owners: pl.DataFrame | None
    table: str
    read: int
    kept: int


def _staged(
    asked: _Asked, scratch: Path, staged: Path, progress: Callable[[str], None] | None
) -> _Copy:
    """Write the mails that count to a folder."""
    worker: Engine
    if asked.engine == "duckdb":
        worker = DuckEngine(asked.session, scratch)
    else:
        worker = SparkEngine(asked.session)
    where = asked.where
    try:
        with in_words(where), opened(worker, asked.source, asked.schema, scratch) as tables:
            shape = found_layout(tables.names(), asked.layout, tables.where)
            if progress:
                progress(f"Looking at {where}: a copy by {shape.name.capitalize()} …")
            mails = mails_of(worker, tables, shape)
            owners = owners_of(worker, tables, shape)
            worker.write(mails.frame, str(staged))
            return _Copy(owners, shape.mails, mails.read, mails.kept)
    finally:
        worker.close()


def _without(folder: str, progress: Callable[[str], None] | None) -> Callable[[str], None] | None:
    """Progress without lines about files that are ours."""
    if progress is None:
        return None
    say = progress
    return lambda line: None if folder in line else say(line)


def _told(reading: EmailReading, mails: _Copy, where: str, engine: str) -> EmailReading:
    """The reading as one of the warehouse's table."""
    gone = mails.read - mails.kept
    more = pl.DataFrame([("ignored", DELETED, gone)] if gone else [], schema=FATES, orient="row")
    mapped = reading.files[0].mapped if reading.files else {}
    file = SourceFile(
        path=where, sha256="", size=0, rows=mails.read, form=engine, encoding=None,
        delimiter=None, decimal=".", mapping="e-mails", mapped=mapped, unmapped={},
    )  # fmt: skip
    rejected = reading.rejected.with_columns(
        file=pl.lit(where), line=pl.lit(None, reading.rejected.schema["line"])
    )
    fates = pl.concat([reading.fates, more])
    return replace(reading, files=(file,), fates=fates, rejected=rejected)
