"""The few things that are asked of an engine, the same of DuckDB and of Spark."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from senderscore_nb.sources.engines.dialect import Dialect
from senderscore_nb.sources.engines.values import Kind

Frame = Any
"""A relation of DuckDB or a DataFrame of Spark: a query, not its rows."""


class Engine(ABC):
    """An engine that works on frames."""

    dialect: Dialect

    @abstractmethod
    def select(self, frame: Frame, columns: Mapping[str, str]) -> Frame:
        """Columns by name, each with its SQL."""

    @abstractmethod
    def where(self, frame: Frame, condition: str) -> Frame:
        """The rows of which a condition holds."""

    @abstractmethod
    def grouped(self, frame: Frame, key: str, columns: Mapping[str, str]) -> Frame:
        """One row a value of a column: the column, and aggregates by name."""

    @abstractmethod
    def among(self, frame: Frame, others: Frame, key: str, *, keep: bool) -> Frame:
        """The rows whose key is among the others', or those whose key is not."""

    @abstractmethod
    def joined(self, frame: Frame, others: Frame, condition: str) -> Frame:
        """Every row with that of the others of which a condition holds, or with nulls."""

    @abstractmethod
    def together(self, one: Frame, other: Frame) -> Frame:
        """The rows of both; their columns are the same."""

    @abstractmethod
    def kept(self, frame: Frame) -> Frame:
        """The same rows, computed once."""

    @abstractmethod
    def rows(self, frame: Frame) -> list[tuple[Any, ...]]:
        """The rows, in Python. Only for few."""

    @abstractmethod
    def columns(self, frame: Frame) -> list[tuple[str, Kind]]:
        """Names, and what they hold."""

    @abstractmethod
    def write(self, frame: Frame, folder: str) -> None:
        """The rows as Parquet files in a folder that is there."""

    @abstractmethod
    def close(self) -> None:
        """Let go of what this engine holds."""

    def knows_zone(self, zone: str) -> bool:
        """Whether the engine has rules for a time zone."""
        probe = self.dialect.local(self.dialect.from_milliseconds("1767225600000"), zone)
        try:
            self.rows(self.select(self.one_row(), {"there": probe}))
        except Exception as error:
            # Which exception that is depends on the engine's version; its text names the zone.
            if zone in str(error) or "zone" in str(error).casefold():
                return False
            raise
        return True

    @abstractmethod
    def one_row(self) -> Frame:
        """A frame of one row."""

    def counted(self, frame: Frame, counts: Mapping[str, str]) -> tuple[int, ...]:
        """Aggregates over all rows, as whole numbers."""
        (found,) = self.rows(self.select(frame, counts))
        return tuple(int(value or 0) for value in found)


def by_place(headers: Sequence[str], have: Sequence[str], dialect: Dialect) -> dict[str, str]:
    """`__0`, `__1`, … for headers, from columns `__0`, `__1`, … under some of them."""
    own = {name: f"__{i}" for i, name in enumerate(have)}
    nothing = f"CAST(NULL AS {dialect.text_type})"
    return {f"__{i}": own.get(name, nothing) for i, name in enumerate(headers)}
