"""What reading gives: accepted rows, rejected rows, and what was done with each file."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

import polars as pl

from senderscore_nb.errors import ReadError
from senderscore_nb.labels import Names, names_of
from senderscore_nb.policy import CountingRules
from senderscore_nb.safe import spreadsheet_safe, write_atomically
from senderscore_nb.sources.parse import shorten
from senderscore_nb.sources.raw import RawTable
from senderscore_nb.tally import newest_day, tally

REJECTED = pl.Schema(
    {"file": pl.String(), "line": pl.Int64(), "reason": pl.String(), "row": pl.String()}
)

_EXAMPLES = 3
_KINDS = 12
DUPLICATE = "exact duplicate of "


@dataclass(frozen=True)
class SourceFile:
    """A file that was read.

    Attributes:
        path: As it was given.
        sha256: Of its bytes.
        size: In bytes.
        rows: Rows below the header; blank lines are not rows.
        form: csv, xlsx or parquet.
        encoding: Of a text file.
        delimiter: Of a text file.
        decimal: The decimal mark of its numbers.
        mapping: The name of the mapping that was used.
        mapped: Header → column.
        unmapped: Headers that were left, each with the nearest known label or "".
    """

    path: str
    sha256: str
    size: int
    rows: int
    form: str
    encoding: str | None
    delimiter: str | None
    decimal: str
    mapping: str
    mapped: dict[str, str]
    unmapped: dict[str, str]

    @classmethod
    def of(
        cls,
        raw: RawTable,
        path: str,
        mapping: str,
        mapped: dict[str, str],
        *,
        unmapped: dict[str, str] | None = None,
        decimal: str = ".",
    ) -> Self:
        """What a table was read from; headers that are not mapped are left, unless told."""
        left = {header: "" for header in raw.headers if header not in mapped}
        return cls(
            path=path,
            sha256=raw.sha256,
            size=raw.size,
            rows=raw.frame.height + raw.broken.height,
            form=raw.form,
            encoding=raw.encoding,
            delimiter=raw.delimiter,
            decimal=decimal,
            mapping=mapping,
            mapped=mapped,
            unmapped=left if unmapped is None else unmapped,
        )

    @property
    def name(self) -> str:
        """The file's name without its folder."""
        return Path(self.path).name


@dataclass(frozen=True)
class Reading:
    """Accepted and rejected rows; together they are all that was read.

    Attributes:
        accepted: Enrollments of the contract (or tallies, for an aggregate source).
        rejected: `file`, `line`, `reason` and `row`, the row as it was read, as JSON.
        files: The files.
        duplicates: How many of the rejected rows are exact duplicates of an accepted one.
    """

    accepted: pl.DataFrame
    rejected: pl.DataFrame
    files: tuple[SourceFile, ...]
    duplicates: int = 0

    @property
    def read(self) -> int:
        """Rows that were read."""
        return sum(file.rows for file in self.files)

    @property
    def has_rows(self) -> bool:
        """Whether enrollments were read, and not only their counts."""
        return True

    @property
    def rules(self) -> CountingRules | None:
        """The rules that what was read is counted under already; None while nothing is."""
        return None

    @property
    def timezone(self) -> str:
        """The time zone in which days were decided before they were read; "" where none was."""
        return ""

    @property
    def through(self) -> dt.date | None:
        """The newest day that the data knows of: of an enrollment, or of an end."""
        return newest_day(self.accepted)

    @property
    def names(self) -> Names:
        """The senders and sequences, each with its newest name."""
        return names_of(self.accepted)

    @property
    def spellings(self) -> pl.DataFrame:
        """Every name that a sender ever had: `user_name` and `user_id`."""
        if "user_name" not in self.accepted.columns:
            return pl.DataFrame(schema={"user_name": pl.String, "user_id": pl.String})
        return self.accepted.select("user_name", "user_id").drop_nulls().unique()

    @property
    def remarks(self) -> tuple[str, ...]:
        """What whoever reads a figure has to know of what it was made from, in sentences."""
        return ()

    @property
    def row_facts(self) -> dict[str, int | None]:
        """How many rows were read, accepted and rejected."""
        return {
            "rows_read": self.read,
            "rows_accepted": self.accepted.height,
            "rows_rejected": self.rejected.height,
            "duplicates": self.duplicates,
        }

    def counted(self, rules: CountingRules) -> pl.DataFrame:
        """Tallies by sender, sequence and day under counting rules.

        Raises:
            ContractError: A column that the rules need is missing.
            EnrollmentsNeededError: Only counts were read, under other rules.
        """
        return tally(self.accepted, rules=rules)

    def describe(self) -> str:
        """What was read, mapped, left and rejected, as lines of text."""
        return _described(self)


def describe(reading: Reading) -> str:
    """What was read, mapped, left and rejected, as lines of text."""
    return reading.describe()


def _described(reading: Reading) -> str:
    lines: list[str] = []
    for file in reading.files:
        lines += _file_lines(file)
    accepted, rejected = reading.accepted.height, reading.rejected.height
    lines.append(f"{reading.read} rows read = {accepted} accepted + {rejected} rejected.")
    if reading.duplicates:
        lines.append(
            f"{reading.duplicates} of the rejected rows are exact duplicates; each enrollment is "
            "counted once."
        )
    for name in ("replied", "bounced"):
        if name in reading.accepted and 0 < accepted == reading.accepted[name].null_count():
            lines.append(f"{name} is not known for any row: no score can be computed.")
    kinds: dict[str, list[str]] = defaultdict(list)
    for where, line, reason in reading.rejected.select("file", "line", "reason").iter_rows():
        kinds[_kind(reason)].append(f"      {where}:{line}  {shorten(reason)}")
    common = sorted(kinds.items(), key=lambda item: -len(item[1]))
    for kind, places in common[:_KINDS]:
        lines.append(f"  {len(places)} × {kind}")
        lines += places[:_EXAMPLES]
    if len(common) > _KINDS:
        lines.append(f"  … and {len(common) - _KINDS} more reasons")
    return "\n".join(lines)


class HasRejected(Protocol):
    """What has rejected rows."""

    @property
    def rejected(self) -> pl.DataFrame:
        """The rows with their reasons."""


def write_rejects(reading: HasRejected, path: str | Path) -> None:
    """Rejected rows as CSV that is safe to open in a spreadsheet.

    Args:
        reading: A `Reading`, or anything else with `rejected`.
        path: The file.

    Raises:
        ReadError: The file cannot be written.
    """
    content = "\ufeff" + spreadsheet_safe(reading.rejected).write_csv()
    try:
        write_atomically(path, content)
    except OSError as error:
        raise ReadError(f"Rejected rows cannot be written ({error}).", where=str(path)) from None


def _file_lines(file: SourceFile) -> list[str]:
    form = ", ".join(
        part
        for part in (
            file.form,
            file.encoding,
            f"delimiter {file.delimiter!r}" if file.delimiter else None,
            f"decimal {file.decimal!r}",
        )
        if part
    )
    lines = [
        f"{file.path}: {file.rows} rows ({form}); mapping {file.mapping}, "
        f"{len(file.mapped)} headers mapped"
    ]
    lines += [f"  {shorten(header)!r} → {column}" for header, column in file.mapped.items()]
    for header, near in file.unmapped.items():
        hint = f" (near {near!r})" if near else ""
        lines.append(f"  {shorten(header)!r} is not mapped{hint}")
    return lines


def _kind(reason: str) -> str:
    """A reason without the value that was found, so that equal reasons count together."""
    if reason.startswith(DUPLICATE):
        return "exact duplicate"
    return reason.split(": ")[0]
