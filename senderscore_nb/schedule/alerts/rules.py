"""A rule that is watched, and how it stands for somebody."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, model_validator

from senderscore_nb.control import LEAST_PERIODS
from senderscore_nb.errors import RunError
from senderscore_nb.selection import Selection

Metric = Literal["reply_rate", "bounce_rate", "score"]
Scope = Literal["everyone", "user", "team", "sequence"]
State = Literal["fired", "standing", "over"]

LOOK_BACK = 26
"""Periods that "since when" looks back, and the most that a rule may ask for in a row."""

Weeks = Annotated[int, Field(ge=1, le=104)]
Limit = Annotated[FiniteFloat, Field(strict=True, ge=0)]


class AlertRule(BaseModel):
    """What is watched, and when it is worth an alert.

    Attributes:
        name: Names it in the ledger.
        metric: What is watched; rates are fractions 0–1.
        scope: Of whom: all together, each user, each team, each sequence.
        selection: Which of them; days follow from the period.
        above: The limit, where high is bad.
        below: The limit, where low is bad. One of the two is given.
        minimum: Ended enrollments of the window from which it is judged.
        periods: How many periods in a row the limit must be crossed.
        window_weeks: The weeks up to a period's end that the metric is taken over.
        baseline_weeks: The weeks before the windows that say what chance allows.
        against: Whose weeks these are: each one's own, or those of all that are selected.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,59}$")]
    metric: Metric
    scope: Scope = "user"
    selection: Selection = Selection()
    above: Limit | None = None
    below: Limit | None = None
    minimum: Annotated[int, Field(ge=1)] = 100
    periods: Annotated[int, Field(ge=1, le=LOOK_BACK)] = 1
    window_weeks: Weeks = 4
    baseline_weeks: Annotated[int, Field(ge=LEAST_PERIODS, le=520)] = 26
    against: Literal["own past", "everyone"] = "own past"

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.above is None) == (self.below is None):
            raise ValueError("above, below: give one of the two")
        if self.metric != "score" and self.limit > 1:
            raise ValueError(
                f"{self.side}: a rate is a fraction of 1, found {self.limit:g}; write 3 % as 0.03"
            )
        if self.selection.start or self.selection.end:
            raise ValueError("selection: start and end follow from the period; leave them out")
        if self.selection.factors:
            raise ValueError("selection.factors: alerts watch users, teams and sequences only")
        if self.scope == "everyone" and self.against == "everyone":
            raise ValueError('against: with scope = "everyone" there is only its "own past"')
        return self

    @property
    def side(self) -> Literal["above", "below"]:
        """The bad side of the limit."""
        return "below" if self.above is None else "above"

    @property
    def limit(self) -> float:
        """The limit, on whichever side it is."""
        return float((self.below if self.above is None else self.above) or 0.0)

    def crossed(self, value: float) -> bool:
        """Whether a value lies beyond the limit."""
        return value > self.limit if self.side == "above" else value < self.limit

    @property
    def bad_sides(self) -> dict[str, str]:
        """The rates that must have moved, one of them at least, and to which side."""
        if self.metric != "score":
            return {self.metric: self.side}
        other = "above" if self.side == "below" else "below"
        return {"reply_rate": self.side, "bounce_rate": other}


@dataclass(frozen=True)
class Alert:
    """How a rule stands for one user, team or sequence, or for everyone.

    Attributes:
        rule: The rule's name.
        metric: What it watches.
        scope: Of whom.
        key: The id, or the team's name; "" for everyone.
        label: The name to show.
        state: `fired` in this period, `standing` since an earlier one, or `over`.
        value: The metric over the window; None where it is not known.
        low: Lower limit of its 95 % interval.
        high: Upper limit.
        limit: The rule's limit.
        n: Ended enrollments of the window.
        sentence: The same in words, one line of plain text.
    """

    rule: str
    metric: Metric
    scope: Scope
    key: str
    label: str
    state: State
    value: float | None
    low: float | None
    high: float | None
    limit: float
    n: int
    sentence: str

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; reads back equal."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """An alert as it was kept; keys of later versions are passed over.

        Raises:
            RunError: A key is missing.
        """
        try:
            return cls(**{field.name: values[field.name] for field in fields(cls)})
        except KeyError as error:
            raise RunError(f"An alert that was kept has no {error}.") from None
