"""What the threshold lab works on, as frozen values: a draft of a policy, and a trial of it.

A draft has the shape of a policy but may break its rules, as a curve does while it is dragged. What
is wrong with it, and where, is part of its value (`problems`); only a draft without problems is a
policy.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from senderscore_nb.errors import PolicyError, did_you_mean, first_problem
from senderscore_nb.lab.problems import Problem, problems_of
from senderscore_nb.policy import (
    DEFAULT_POLICY,
    CountingRules,
    Interpolation,
    Minimum,
    ScoringPolicy,
    load_policy,
    parse_policy,
)
from senderscore_nb.reports.frame import WINDOW_WEEKS

Number = Annotated[float, Field(allow_inf_nan=False, ge=-1e9, le=1e9)]
Text = Annotated[str, AfterValidator(str.strip)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CurveDraft(_Frozen):
    """Knots (a rate as a fraction 0–1, and points) of a curve that may be no curve."""

    interpolation: Interpolation = "linear"
    knots: tuple[tuple[Number, Number], ...]

    @property
    def most(self) -> float:
        """The most points of a knot; 0 without any."""
        return max((points for _, points in self.knots), default=0.0)


class BandDraft(_Frozen):
    """A band's name and lower edge, whatever they are."""

    name: Text
    lower: Number


class Draft(_Frozen):
    """A policy in the making: as `ScoringPolicy`, without its rules.

    >>> draft = Draft.of(load_policy())
    >>> draft.policy() == load_policy()
    True
    >>> flat = draft.updated(bands=[{"name": "All", "lower": 5}])
    >>> [problem.words for problem in flat.problems]
    ['The first band starts at 0.']
    """

    name: Text
    version: Annotated[int, Field(ge=1, le=1_000_000_000)] = 1
    source: str = ""
    counting: CountingRules = CountingRules()
    minimum: Minimum = Minimum()
    reply_points: CurveDraft
    bounce_points: CurveDraft
    bands: tuple[BandDraft, ...]

    @classmethod
    def of(cls, policy: ScoringPolicy) -> Self:
        """The draft that a policy is.

        Raises:
            PolicyError: It has numbers that are too large for a draft.
        """
        return cls.parse(policy.model_dump(mode="json"), where=policy.name)

    @classmethod
    def from_toml(cls, text: str, *, where: str = "policy") -> Self:
        """The draft of a policy in TOML.

        Raises:
            PolicyError: Not TOML, or not a valid policy.
        """
        return cls.of(parse_policy(text, where=where))

    @classmethod
    def parse(cls, values: Mapping[str, Any], *, where: str = "draft") -> Self:
        """A draft from plain values.

        Raises:
            PolicyError: An unknown key, or a value of the wrong type.
        """
        made: Self = _parsed(cls, values, where)
        return made

    def updated(self, **changes: Any) -> Self:
        """The draft with some values changed.

        Raises:
            PolicyError: An unknown key, or a value of the wrong type.
        """
        return type(self).parse({**self.model_dump(mode="json"), **changes})

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What keeps it from being a policy; nothing if it is one."""
        return problems_of(self)

    @property
    def most(self) -> float:
        """The highest score there is."""
        return self.reply_points.most + self.bounce_points.most

    def policy(self) -> ScoringPolicy:
        """The policy that the draft is.

        Raises:
            PolicyError: It has problems.
        """
        found = self.problems
        if found:
            first, more = found[0], len(found) - 1
            also = f" ({more} more after it)" if more else ""
            raise PolicyError(f"{first.sentence}{also}", where="draft")
        return ScoringPolicy.model_validate(self.model_dump(mode="json"))

    def to_toml(self) -> str:
        """The policy in TOML, which reads back equal.

        Raises:
            PolicyError: It has problems.
        """
        return self.policy().to_toml()


class Trial(_Frozen):
    """A draft, what it is compared with, and the enrollments that it is tried on.

    Attributes:
        draft: The policy in the making.
        start: What it began as: a preset's name, the path of a TOML file, or a name that the lab
            was given.
        against: The policy in force, named in the same way.
        weeks: Complete weeks up to the newest one that scores cover; 0 for all days.
        chosen: The sender whose gauges are shown; everyone together where empty.

    >>> Trial.create(weeks=4).updated(weeks=8).weeks
    8
    """

    draft: Draft
    start: Annotated[str, Field(min_length=1)] = DEFAULT_POLICY
    against: Annotated[str, Field(min_length=1)] = DEFAULT_POLICY
    weeks: Annotated[int, Field(ge=0, le=520)] = WINDOW_WEEKS
    chosen: str = ""

    @classmethod
    def create(cls, **changes: Any) -> Self:
        """A trial with some of its values given; a draft's keys may be given by themselves.

        Raises:
            PolicyError: An unknown key, or a value of the wrong type.
        """
        return cls.parse(changes)

    @classmethod
    def parse(cls, values: Mapping[str, Any], *, where: str = "draft") -> Self:
        """A trial from plain values, as `to_parameters` gives them; the default policy's draft.

        Raises:
            PolicyError: An unknown key, or a value of the wrong type.
        """
        given = values.get("draft")
        if isinstance(given, Draft):
            given = given.model_dump(mode="json")
        base = given if isinstance(given, Mapping) else load_policy().model_dump(mode="json")
        inside = {key: value for key, value in values.items() if key in Draft.model_fields}
        rest = {key: value for key, value in values.items() if key not in Draft.model_fields}
        made: Self = _parsed(cls, {**rest, "draft": {**base, **inside}}, where)
        return made

    def updated(self, **changes: Any) -> Self:
        """The trial with some values changed. Updating to a value equals creating with it.

        Raises:
            PolicyError: An unknown key, or a value of the wrong type.
        """
        return type(self).parse({**self.to_parameters(), **changes})

    def to_parameters(self) -> dict[str, Any]:
        """Plain JSON values."""
        return self.model_dump(mode="json")


def _parsed(model: Any, values: Mapping[str, Any], where: str) -> Any:
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        problem = first_problem(error)
        key = problem.key.removeprefix("draft.")
        known = [*Draft.model_fields, *(n for n in Trial.model_fields if n != "draft")]
        hint = did_you_mean(key, known) if problem.unknown else None
        raise PolicyError(f"{key}: {problem.message}.", where=where, hint=hint) from None
