"""The numbers of a policy that can be moved, by name: `bands.Good`, `reply.7%`, `minimum.user`.

A knot is named by the rate at which it stands in the policy that the threshold was made from:
`reply.7%` is that rate itself, `reply.7%.points` the points that it gives.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import ValidationError

from senderscore_nb.errors import PolicyError, did_you_mean, first_problem
from senderscore_nb.policy import (
    Band,
    BounceCurve,
    Minimum,
    PointCurve,
    ReplyCurve,
    ScoringPolicy,
)

Section = Literal["reply_points", "bounce_points", "bands", "minimum"]
Part = Literal["rate", "points", "lower", "count"]

CHANGED = "-changed"
"""The ending of the name of a policy in which a threshold was moved."""

_CURVES: dict[str, Section] = {"reply": "reply_points", "bounce": "bounce_points"}
_FIELDS = tuple(ScoringPolicy.model_fields)
_NAME_ROOM = 80


@dataclass(frozen=True)
class Threshold:
    """A number of a policy that can be moved.

    Attributes:
        name: How it is written, as `bands.Good` or `reply.7%`.
        section: The part of the policy that it is in.
        place: Of the knot or band, from 0; of a minimum, 0 for users and 1 for sequences.
        part: Which number of it: a knot's `rate` or `points`, a band's `lower`, a `count`.
    """

    name: str
    section: Section
    place: int
    part: Part

    @classmethod
    def parse(cls, name: str, policy: ScoringPolicy) -> Threshold:
        """A threshold of a policy by its name.

        Raises:
            PolicyError: The policy has no such threshold.

        >>> from senderscore_nb.policy import load_policy
        >>> Threshold.parse("reply.7 %", load_policy()).get(load_policy())
        0.07
        """
        known = {_folded(one.name): one for one in thresholds(policy)}
        found = known.get(_folded(name))
        if found is None:
            raise PolicyError(
                f"There is no threshold {name!r}.",
                where=policy.name,
                hint=did_you_mean(name, [one.name for one in known.values()]),
            )
        return found

    def get(self, policy: ScoringPolicy) -> float:
        """Its value in a policy: a fraction for rates, points for points and bands, a count.

        Raises:
            PolicyError: The policy has no such knot or band.
        """
        try:
            if self.section == "bands":
                return float(policy.bands[self.place].lower)
            if self.section == "minimum":
                return float((policy.minimum.user, policy.minimum.sequence)[self.place])
            rate, points = _curve(policy, self.section).knots[self.place]
        except IndexError:
            raise PolicyError(f"There is no threshold {self.name!r}.", where=policy.name) from None
        return rate if self.part == "rate" else points

    def set(self, policy: ScoringPolicy, value: float) -> ScoringPolicy:
        """The policy with another value, whole and checked; see `moved`.

        Args:
            policy: Of the same shape as the one that the threshold was made from.
            value: A fraction for rates, points for points and bands, a whole number for a minimum.

        Raises:
            PolicyError: The policy would be invalid; says why.
        """
        return moved(policy, {self: value})

    def show(self, value: float) -> str:
        """A value as it is written: `7 %`, `70`.

        >>> Threshold("reply.7%", "reply_points", 1, "rate").show(0.085)
        '8.5 %'
        """
        return f"{_plain(100 * value)} %" if self.part == "rate" else _plain(value)


def moved(policy: ScoringPolicy, values: Mapping[Threshold, float]) -> ScoringPolicy:
    """The policy with several values at once, whole and checked.

    Its name ends in `-changed` and its source says what was changed, so that nothing is printed
    under a name that it does not deserve.

    Raises:
        PolicyError: The policy would be invalid; says why.
    """
    knots = {name: [list(k) for k in _curve(policy, name).knots] for name in _CURVES.values()}
    lowers = [band.lower for band in policy.bands]
    minimum = [policy.minimum.user, policy.minimum.sequence]
    said = []
    for threshold, value in values.items():
        said.append(f"{threshold.name} {threshold.show(value)}")
        said[-1] += f" instead of {threshold.show(threshold.get(policy))}"
        if threshold.section == "bands":
            lowers[threshold.place] = value
        elif threshold.section == "minimum":
            minimum[threshold.place] = value  # type: ignore[call-overload]
        else:
            knots[threshold.section][threshold.place][threshold.part == "points"] = value
    fields: dict[str, Any] = {name: getattr(policy, name) for name in _FIELDS}
    fields["name"] = changed_name(policy.name)
    begun = f"{policy.source}," if policy.name.endswith(CHANGED) else f"{policy.label} with"
    fields["source"] = f"{begun} {', '.join(said)}"
    try:
        fields |= _parts(policy, knots, lowers, minimum, {t.section for t in values})
        return ScoringPolicy(**fields)
    except ValidationError as error:
        wanted = " and ".join(f"{t.name} cannot be {t.show(v)}" for t, v in values.items())
        raise PolicyError(f"{wanted}: {first_problem(error).message}.", where=policy.name) from None


def _parts(
    policy: ScoringPolicy,
    knots: Mapping[Section, list[list[float]]],
    lowers: list[float],
    minimum: list[int],
    sections: set[Section],
) -> dict[str, Any]:
    """The parts that changed, checked anew; what is kept is as valid as it was."""
    parts: dict[str, Any] = {}
    for name, kind in (("reply_points", ReplyCurve), ("bounce_points", BounceCurve)):
        if name in sections:
            given = tuple((rate, points) for rate, points in knots[name])
            bent = _curve(policy, name).interpolation
            parts[name] = kind(interpolation=bent, knots=given)
    if "bands" in sections:
        both = zip(policy.bands, lowers, strict=True)
        parts["bands"] = tuple(Band(name=band.name, lower=lower) for band, lower in both)
    if "minimum" in sections:
        parts["minimum"] = Minimum(user=minimum[0], sequence=minimum[1])
    return parts


def thresholds(policy: ScoringPolicy) -> list[Threshold]:
    """Every threshold of a policy: knots of both curves, bands above the lowest, minimums.

    >>> from senderscore_nb.policy import load_policy
    >>> [t.name for t in thresholds(load_policy())][:3]
    ['reply.0%', 'reply.0%.points', 'reply.7%']
    """
    found = []
    for word, section in _CURVES.items():
        for place, (rate, _) in enumerate(_curve(policy, section).knots):
            name = f"{word}.{_plain(100 * rate)}%"
            found.append(Threshold(name, section, place, "rate"))
            found.append(Threshold(f"{name}.points", section, place, "points"))
    for place, band in enumerate(policy.bands[1:], start=1):
        found.append(Threshold(f"bands.{band.name}", "bands", place, "lower"))
    for place, word in enumerate(("user", "sequence")):
        found.append(Threshold(f"minimum.{word}", "minimum", place, "count"))
    return found


def changed_name(name: str) -> str:
    """The name of a policy that was changed.

    >>> changed_name("mine"), changed_name("mine-changed")
    ('mine-changed', 'mine-changed')
    """
    return name if name.endswith(CHANGED) else name[: _NAME_ROOM - len(CHANGED)] + CHANGED


def _curve(policy: ScoringPolicy, section: Section) -> PointCurve:
    return policy.reply_points if section == "reply_points" else policy.bounce_points


def _folded(name: str) -> str:
    return re.sub(r"\s+%", "%", name.strip()).casefold()


def _plain(value: float) -> str:
    return f"{value:.10g}"
