"""Conditions in SQL that are built like those of polars, so that a rule is written once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from senderscore_nb.sources.engines.dialect import Dialect


@dataclass(frozen=True)
class Condition:
    """A piece of SQL: a column or what holds of it.

    Attributes:
        sql: The text.
        dialect: Whose.
    """

    sql: str
    dialect: Dialect

    def is_in(self, words: Iterable[str]) -> Condition:
        """One of some words."""
        return Condition(f"({self.dialect.one_of(self.sql, words)})", self.dialect)

    def is_null(self) -> Condition:
        """Unknown."""
        return Condition(f"({self.sql} IS NULL)", self.dialect)

    def is_not_null(self) -> Condition:
        """Known."""
        return Condition(f"({self.sql} IS NOT NULL)", self.dialect)

    def __and__(self, other: Condition) -> Condition:
        return Condition(f"({self.sql} AND {other.sql})", self.dialect)

    def __or__(self, other: Condition) -> Condition:
        return Condition(f"({self.sql} OR {other.sql})", self.dialect)


def case(branches: Iterable[tuple[Any, str | None]], dialect: Dialect) -> str:
    """The text of the first condition that holds, null where none does."""
    parts = [
        f"WHEN {condition.sql} THEN {'NULL' if said is None else dialect.literal(said)}"
        for condition, said in branches
    ]
    return f"CASE {' '.join(parts)} END"
