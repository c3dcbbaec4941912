"""What keeps a draft from being a policy, and where: the rules of `ScoringPolicy`, one by one.

`ScoringPolicy` is the definition and names its first mistake; here every mistake has a place, to be
marked there. Tests hold the two to each other.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from senderscore_nb.policy import Band

if TYPE_CHECKING:
    from senderscore_nb.lab.state import CurveDraft, Draft

CURVES: tuple[str, ...] = ("reply_points", "bounce_points")

MOST_BANDS = 12
MOST_CHARACTERS = 80
"""Limits of `ScoringPolicy`, which tests hold these to."""


class Problem(BaseModel):
    """What keeps a draft from being a policy, and where.

    Attributes:
        part: `reply_points`, `bounce_points`, `bands` or `name`.
        place: Of the knot or the band, from 0; −1 for the whole part.
        field: What of it: `rate`, `points`, `lower` or `name`; empty for the whole part.
        words: What is wrong, as a short sentence.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    part: str
    place: int
    field: str
    words: str

    @property
    def sentence(self) -> str:
        """Where it is, and what is wrong."""
        kinds = {"reply_points": "Reply knot", "bounce_points": "Bounce knot", "bands": "Band"}
        if self.part not in kinds or self.place < 0:
            return self.words
        return f"{kinds[self.part]} {self.place + 1}: {self.words}"


def problems_of(draft: Draft) -> tuple[Problem, ...]:
    """What keeps a draft from being a policy; nothing if it is one."""
    found = [*_name_problems("name", 0, draft.name)]
    for part in CURVES:
        found += _curve_problems(part, getattr(draft, part))
    return (*found, *_band_problems(draft))


def _curve_problems(part: str, curve: CurveDraft) -> Iterator[Problem]:
    if not curve.knots:
        yield Problem(part=part, place=-1, field="", words="A curve needs a knot.")
    before: tuple[float, float] | None = None
    for place, (rate, points) in enumerate(curve.knots):
        said = {"rate": "", "points": ""}
        if not 0 <= rate <= 1:
            said["rate"] = "A rate lies between 0 and 100 %."
        elif before is not None and rate <= before[0]:
            said["rate"] = f"The rate must be above that of knot {place}, {100 * before[0]:g} %."
        if points < 0:
            said["points"] = "Points cannot be negative."
        elif before is not None and part == "reply_points" and points < before[1]:
            said["points"] = (
                f"Points must not fall as replies rise: knot {place} has {before[1]:g}."
            )
        elif before is not None and part == "bounce_points" and points > before[1]:
            said["points"] = (
                f"Points must not rise as bounces rise: knot {place} has {before[1]:g}."
            )
        for field, words in said.items():
            if words:
                yield Problem(part=part, place=place, field=field, words=words)
        before = rate, points


def _band_problems(draft: Draft) -> Iterator[Problem]:
    bands = draft.bands
    if not bands:
        yield Problem(part="bands", place=-1, field="", words="A policy needs a band.")
    elif len(bands) > MOST_BANDS:
        words = f"A policy has at most {MOST_BANDS} bands."
        yield Problem(part="bands", place=-1, field="", words=words)
    known = bool(draft.reply_points.knots and draft.bounce_points.knots)
    slugs: dict[str, int] = {}
    for place, band in enumerate(bands):
        yield from _name_problems("bands", place, band.name)
        first = slugs.setdefault(_slug(band.name), place)
        if first != place:
            words = f"Band {first + 1} has the same name."
            yield Problem(part="bands", place=place, field="name", words=words)
        words = ""
        if place == 0 and band.lower != 0:
            words = "The first band starts at 0."
        elif place and band.lower <= bands[place - 1].lower:
            words = f"The edge must be above that of band {place}, {bands[place - 1].lower:g}."
        elif place and known and band.lower > draft.most:
            words = f"The edge is above the highest score, {draft.most:g}."
        if words:
            yield Problem(part="bands", place=place, field="lower", words=words)


def _name_problems(part: str, place: int, name: str) -> Iterator[Problem]:
    if not name:
        yield Problem(part=part, place=place, field="name", words="A name is needed.")
    elif len(name) > MOST_CHARACTERS:
        words = f"A name has at most {MOST_CHARACTERS} characters."
        yield Problem(part=part, place=place, field="name", words=words)


def _slug(name: str) -> str:
    return Band.model_construct(name=name, lower=0.0).slug
