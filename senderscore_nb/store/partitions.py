"""Partitions of a store: a month's tallies in one file, and back."""

from __future__ import annotations

import hashlib
import io
import json
import secrets
from pathlib import Path

import polars as pl

from senderscore_nb.contract import KEYS, MEASURES
from senderscore_nb.errors import StoreError
from senderscore_nb.policy import CountingRules
from senderscore_nb.safe import write_new
from senderscore_nb.store.disk import read_plain
from senderscore_nb.store.files import KEY
from senderscore_nb.store.files import VERSION as FILE_VERSION
from senderscore_nb.store.manifest import Manifest, Partition, partition_name
from senderscore_nb.store.tallied import checked_tallies

MONTHS = "months"
"""The folder of the partitions."""

EMPTY = pl.DataFrame(
    schema={
        **{name: pl.Date() if name == "day" else pl.String() for name in KEYS},
        **{name: pl.Int64() for name in MEASURES},
    }
)
MEND = "Update the store again from the data: the days that it covers are replaced whole."


def partition_bytes(tallies: pl.DataFrame, rules: CountingRules, timezone: str) -> bytes:
    """A month's tallies as a tally file without names."""
    facts = {
        "version": FILE_VERSION,
        "rules": rules.model_dump(),
        "timezone": timezone,
        "through": None,
        "users": {},
        "sequences": {},
    }
    buffer = io.BytesIO()
    tallies.write_parquet(buffer, metadata={KEY: json.dumps(facts)})
    return buffer.getvalue()


def write_partition(
    folder: Path, month: str, generation: int, tallies: pl.DataFrame, content: bytes
) -> Partition:
    """Write a month's file under a name that nobody has used.

    Raises:
        OSError: It cannot be written; then nothing of it is left.
    """
    name = partition_name(month, generation, secrets.token_hex(8))
    write_new(folder / MONTHS / name, content)
    first, last, ended = tallies.select(
        pl.col("day").min(), last=pl.col("day").max(), ended=pl.col("ended").sum()
    ).row(0)
    return Partition(
        file=name,
        sha256=hashlib.sha256(content).hexdigest(),
        size=len(content),
        rows=tallies.height,
        ended=ended,
        first=first,
        last=last,
    )


def read_partition(folder: Path, partition: Partition) -> pl.DataFrame:
    """A month's tallies, if the file is what the manifest says.

    Raises:
        FileNotFoundError: The file is gone.
        StoreError: It is a link, cannot be read, or is not what was written.
    """
    path = folder / MONTHS / partition.file
    try:
        content = read_plain(path)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise StoreError(
            f"A partition cannot be read ({error.strerror}).", where=str(path), hint=MEND
        ) from None
    if len(content) != partition.size or hashlib.sha256(content).hexdigest() != partition.sha256:
        raise StoreError(
            f"The partition was changed: {len(content)} bytes with another checksum, where "
            f"{partition.size} were written.",
            where=str(path),
            hint=MEND,
        )
    return pl.read_parquet(io.BytesIO(content))


def holds(folder: Path, partition: Partition, content: bytes) -> bool:
    """Whether a month's file has that content, and is not broken."""
    if hashlib.sha256(content).hexdigest() != partition.sha256:
        return False
    try:
        return read_plain(folder / MONTHS / partition.file) == content
    except OSError:
        return False


def problem_of(folder: Path, partition: Partition) -> str:
    """What is wrong with a month's file; nothing if all is well."""
    path = folder / MONTHS / partition.file
    try:
        tallies = checked_tallies(read_partition(folder, partition), where=str(path))
    except FileNotFoundError:
        return "the file is missing"
    except Exception as error:
        return str(getattr(error, "found", error))
    held = tallies.height, tallies["day"].min(), tallies["day"].max()
    if held != (partition.rows, partition.first, partition.last):
        return "the rows or days are not those of the manifest"
    return ""


def months_frame(manifest: Manifest) -> pl.DataFrame:
    """The months of a state: `month`, `first`, `last`, `rows`, `ended`, `size` in bytes, `file`."""
    rows = [
        (month, p.first, p.last, p.rows, p.ended, p.size, p.file)
        for month, p in sorted(manifest.months.items())
    ]
    schema = {"month": pl.String, "first": pl.Date, "last": pl.Date, "rows": pl.Int64,
              "ended": pl.Int64, "size": pl.Int64, "file": pl.String}  # fmt: skip
    return pl.DataFrame(rows, schema=schema, orient="row")
