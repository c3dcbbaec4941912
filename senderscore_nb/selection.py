"""Which users, teams, sequences and dates: one frozen value with four spellings.

The explorer's controls, a report's parameters, the command line's options and a plan's TOML all
convert to a `Selection` and back without loss.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Self

import polars as pl
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from senderscore_nb.errors import SelectionError, did_you_mean, first_problem


def _names(value: object) -> object:
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,)
    return tuple(dict.fromkeys(value)) if isinstance(value, Iterable) else value


def _day(value: object) -> object:
    if value in ("", None):
        return None
    if isinstance(value, dt.datetime):
        raise ValueError("a day is expected, not an instant")
    if isinstance(value, str) and not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
        raise ValueError(f"{value!r} is not a day of the form YYYY-MM-DD")
    return value


Names = Annotated[tuple[str, ...], BeforeValidator(_names)]
Day = Annotated[dt.date | None, BeforeValidator(_day)]


class Selection(BaseModel):
    """Users, teams, sequences, first and last day; empty means all.

    Attributes:
        users: User ids.
        teams: Teams of the roster.
        sequences: Sequence ids.
        start: First day, included.
        end: Last day, included.
        factors: Values by factor column, for what goes back to the enrollments.

    >>> Selection(users=["7"], start="2026-01-05").to_parameters()["start"]
    '2026-01-05'
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    users: Names = ()
    teams: Names = ()
    sequences: Names = ()
    start: Day = None
    end: Day = None
    factors: Annotated[tuple[tuple[str, tuple[str, ...]], ...], Field()] = ()

    @field_validator("factors", mode="before")
    @classmethod
    def _from_mapping(cls, value: object) -> object:
        if isinstance(value, Mapping):
            return tuple((str(k), _names(v)) for k, v in sorted(value.items()))
        return value

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.start and self.end and self.end < self.start:
            raise ValueError(f"the end {self.end} is before the start {self.start}")
        return self

    @classmethod
    def parse(cls, values: Mapping[str, Any], *, where: str = "selection") -> Self:
        """A selection from parameters, options or a TOML table.

        Raises:
            SelectionError: An unknown key, a wrong type or an impossible range.
        """
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            problem = first_problem(error)
            key, hint = problem.key, None
            if problem.unknown:
                hint = did_you_mean(key, cls.model_fields)
            raise SelectionError(
                f"{key + ': ' if key else ''}{problem.message}.", where=where, hint=hint
            ) from None

    def to_parameters(self) -> dict[str, Any]:
        """Plain JSON values, as a report's parameters take them; reads back equal."""
        return {
            "users": list(self.users),
            "teams": list(self.teams),
            "sequences": list(self.sequences),
            "start": self.start.isoformat() if self.start else "",
            "end": self.end.isoformat() if self.end else "",
            "factors": {name: list(values) for name, values in self.factors},
        }

    def to_options(self) -> list[str]:
        """The command line's options that make this selection."""
        options = []
        for flag, values in (
            ("--user", self.users),
            ("--team", self.teams),
            ("--sequence", self.sequences),
        ):
            options += [f"{flag}={value}" for value in values]
        if self.start:
            options.append(f"--start={self.start}")
        if self.end:
            options.append(f"--end={self.end}")
        options += [f"--factor={name}={v}" for name, values in self.factors for v in values]
        return options

    @property
    def is_everything(self) -> bool:
        """Nothing is filtered."""
        return self == Selection()

    def describe(self) -> str:
        """The selection in words, as reports print it.

        >>> Selection(teams=["North"], end="2026-03-01").describe()
        'team North; to 2026-03-01'
        """
        parts = []
        for one, many, values in (
            ("user", "users", self.users),
            ("team", "teams", self.teams),
            ("sequence", "sequences", self.sequences),
            *((name, name, values) for name, values in self.factors),
        ):
            if values:
                parts.append(f"{one if len(values) == 1 else many} {', '.join(values)}")
        if self.start and self.end:
            parts.append(f"{self.start} to {self.end}")
        elif self.start:
            parts.append(f"from {self.start}")
        elif self.end:
            parts.append(f"to {self.end}")
        return "; ".join(parts) or "everything"

    def where(self, *, day: str = "day", team: str = "team") -> pl.Expr:
        """The filter on a frame with `user_id`, `sequence_id`, `day` (and `team`, if asked)."""
        tests = []
        if self.users:
            tests.append(pl.col("user_id").is_in(list(self.users)))
        if self.teams:
            tests.append(pl.col(team).is_in(list(self.teams)))
        if self.sequences:
            tests.append(pl.col("sequence_id").is_in(list(self.sequences)))
        if self.start:
            tests.append(pl.col(day) >= self.start)
        if self.end:
            tests.append(pl.col(day) <= self.end)
        return pl.all_horizontal(tests) if tests else pl.lit(value=True)

    def apply(self, tallies: pl.DataFrame, roster: pl.DataFrame | None = None) -> pl.DataFrame:
        """The rows of a tally frame that the selection takes.

        Args:
            tallies: Columns `user_id`, `sequence_id`, `day` and measures.
            roster: Needed where teams are selected.

        Raises:
            SelectionError: A team is selected and there is no roster, or it has no such team.
        """
        if not self.teams:
            return tallies.filter(self.where())
        if roster is None:
            raise SelectionError(
                "Teams are selected, but no roster says who is in them.",
                hint="Give a roster: a file with the columns user_id and team.",
            )
        known = roster["team"].drop_nulls().unique().sort().to_list()
        for name in self.teams:
            if name not in known:
                raise SelectionError(f"There is no team {name!r}.", hint=did_you_mean(name, known))
        teams = roster.select("user_id", "team")
        return tallies.join(teams, on="user_id", how="left").filter(self.where()).drop("team")
