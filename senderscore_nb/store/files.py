"""A tally file: Parquet with the columns of a tally, and what has to be known of it inside.

The facts are JSON under one key of the file's metadata, so that a file stays whole wherever it is
copied to, and every tool that reads Parquet reads the counts.
"""

from __future__ import annotations

import datetime as dt
import io
import json
from pathlib import Path
from typing import Any

import polars as pl
from pydantic import ValidationError

from senderscore_nb.contract import TALLY_KEY
from senderscore_nb.errors import ContractError, ReadError, first_problem
from senderscore_nb.policy import CountingRules
from senderscore_nb.safe import shown, write_atomically
from senderscore_nb.store.tallied import (
    NEEDED,
    SEQUENCES,
    USERS,
    Tallied,
    checked_tallies,
    named,
)

KEY = TALLY_KEY
"""The key of the file's metadata."""

VERSION = 1
"""The version of the facts that this package writes, and the newest that it reads."""

_ROWS = ("enrollment_id", "enrolled_on", "ended_on")
_ZONE = 64


def write_tallies(path: str | Path, tallied: Tallied) -> None:
    """Write tallies, with what they were made under, as one Parquet file.

    The file appears whole or not at all.

    Args:
        path: The file.
        tallied: What is in it; rows that break the contract are not written.

    Raises:
        ContractError: A row is no tally.
        ReadError: The file cannot be written.
    """
    tallies = checked_tallies(tallied.tallies, where=str(path))
    buffer = io.BytesIO()
    tallies.write_parquet(buffer, metadata={KEY: json.dumps(facts_of(tallied))})
    try:
        write_atomically(path, buffer.getvalue())
    except OSError as error:
        raise ReadError(
            f"The tallies cannot be written ({error.strerror or error}).", where=str(path)
        ) from None


def read_tallies(path: str | Path) -> Tallied:
    """Read a tally file: one of `write_tallies`, or Parquet of any tool with a tally's columns.

    Of another tool's file the counting rules and the time zone are not known; its columns
    `user_name` and `sequence_name` are taken for names.

    Args:
        path: The file.

    Raises:
        ReadError: It cannot be read, or is of a newer version.
        ContractError: It has no tally's columns, or a row is no tally.
    """
    where = str(path)
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise ReadError(f"The tallies cannot be read ({error.strerror}).", where=where) from None
    try:
        facts, frame = pl.read_parquet_metadata(content), pl.read_parquet(content)
    except (KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except BaseException as error:
        # The reader raises whatever its native code does, a panic too; the file is to blame.
        first = shown(str(error).strip().partition("\n")[0], most=120)
        raise ReadError(f"Not a readable Parquet file ({first}).", where=where) from None
    tallies = checked_tallies(frame, where=where)
    if KEY in facts:
        return tallied_of(_parsed(facts[KEY], where), tallies, where=where)
    return Tallied(
        tallies,
        None,
        "",
        _newest(tallies),
        *(_names(frame, tallies, s) for s in (USERS, SEQUENCES)),
    )


def is_tally_file(path: str | Path) -> bool:
    """Whether a file is Parquet with a tally's columns, and not with an enrollment's."""
    if not str(path).casefold().endswith(".parquet"):
        return False
    try:
        columns = pl.read_parquet_schema(path)
    except (KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except BaseException:
        return False  # whoever reads it says why
    has_rows = any(name in columns for name in _ROWS)
    return all(name in columns for name in NEEDED) and not has_rows


def facts_of(tallied: Tallied) -> dict[str, Any]:
    """What is known of tallies, as JSON values."""
    return {
        "version": VERSION,
        "rules": tallied.rules.model_dump() if tallied.rules else None,
        "timezone": tallied.timezone,
        "through": tallied.through.isoformat() if tallied.through else None,
        "users": dict(named(tallied.tallies["user_id"], tallied.users).iter_rows()),
        "sequences": dict(
            named(tallied.tallies["sequence_id"], tallied.sequences, schema=SEQUENCES).iter_rows()
        ),
    }


def tallied_of(facts: dict[str, Any], tallies: pl.DataFrame, *, where: str) -> Tallied:
    """Tallies with facts that were read.

    Raises:
        ReadError: The facts are of a newer version, or are not what `facts_of` gives.
    """
    version = facts.get("version")
    if isinstance(version, int) and version > VERSION:
        raise ReadError(
            f"These tallies are of version {version}; this package reads up to {VERSION}.",
            where=where,
            hint="Update senderscore-nb, or count the data again.",
        )
    try:
        rules = facts["rules"]
        through = facts["through"]
        timezone = facts["timezone"]
        if version != VERSION or not isinstance(timezone, str) or len(timezone) > _ZONE:
            raise ValueError("version or timezone")
        return Tallied(
            tallies,
            None if rules is None else CountingRules.model_validate(rules),
            timezone,
            dt.date.fromisoformat(through) if through else _newest(tallies),
            named(tallies["user_id"], _frame(facts["users"], USERS)),
            named(tallies["sequence_id"], _frame(facts["sequences"], SEQUENCES), schema=SEQUENCES),
        )
    except ValidationError as error:
        reason = f"rules: {first_problem(error).key} {first_problem(error).message}"
    except (KeyError, TypeError, ValueError, AttributeError, pl.exceptions.PolarsError) as error:
        reason = str(error)
    raise ReadError(
        f"What these tallies were made under cannot be read ({shown(reason, most=90)}).",
        where=where,
        hint="Count the data again.",
    )


def _parsed(text: str, where: str) -> dict[str, Any]:
    try:
        facts = json.loads(text)
        if isinstance(facts, dict):
            return facts
    except (ValueError, RecursionError):
        pass
    raise ReadError("What these tallies were made under is no JSON object.", where=where)


def _frame(names: dict[str, str | None], schema: pl.Schema) -> pl.DataFrame:
    return pl.DataFrame(
        {schema.names()[0]: list(names.keys()), schema.names()[1]: list(names.values())},
        schema=schema,
        strict=True,
    )


def _names(frame: pl.DataFrame, tallies: pl.DataFrame, schema: pl.Schema) -> pl.DataFrame:
    """Names of another tool's file; the newest one where it has several."""
    key, name = schema.names()
    if name not in frame.columns:
        return named(tallies[key], schema=schema)
    if frame[name].dtype not in (pl.String, pl.Null):
        raise ContractError(f"{name}: a text is expected, found {frame[name].dtype}.")
    pairs = frame.sort("day").select(pl.col(key).cast(pl.String), name).drop_nulls()
    return named(tallies[key], pairs.unique(key, keep="last", maintain_order=True), schema=schema)


def _newest(tallies: pl.DataFrame) -> dt.date | None:
    newest: dt.date | None = tallies.select(pl.col("day").max()).item()
    return newest
