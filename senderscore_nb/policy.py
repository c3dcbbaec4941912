"""How rates become points and points become bands.

The vendor publishes neither the points nor the cut-offs, so every table here is a named, versioned
policy of ours, read from TOML and printed on whatever is computed with it.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import re
import tomllib
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import polars as pl
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    ValidationError,
    model_validator,
)

from senderscore_nb.errors import PolicyError, did_you_mean, first_problem, keys_at

DEFAULT_POLICY = "hubspot-article"

Interpolation = Literal["linear", "step"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)


class CountingRules(_Frozen):
    """What counts, where the vendor leaves it open. Each is an option of the policy."""

    reply_denominator: Literal["delivered", "ended"] = "delivered"
    date_basis: Literal["ended_on", "enrolled_on"] = "ended_on"
    manual_and_error_count_as_ended: bool = True
    blocked_count_as_bounced: bool = False
    out_of_office_count_as_replies: bool = False

    def differs_in(self, other: CountingRules) -> str | None:
        """The first rule by which counts differ; the denominator of the reply rate is none.

        >>> CountingRules().differs_in(CountingRules(reply_denominator="ended"))
        """
        for name in CountingRules.model_fields:
            if name != "reply_denominator" and getattr(self, name) != getattr(other, name):
                return name
        return None

    def word(self, name: str) -> str:
        """A rule's value as it stands in TOML, without quotes."""
        value = getattr(self, name)
        return str(value).lower() if isinstance(value, bool) else str(value)


class Minimum(_Frozen):
    """Ended enrollments from which a score is given: a user's, and a sequence's for a user."""

    user: Annotated[int, Field(ge=1)] = 100
    sequence: Annotated[int, Field(ge=1)] = 101


class PointCurve(_Frozen):
    """A monotone curve from a rate (a fraction 0–1) to points.

    `linear` interpolates between the knots; `step` keeps a knot's points from its rate on until
    the next one. Below the first knot and above the last one the curve is flat.
    """

    interpolation: Interpolation = "linear"
    knots: Annotated[tuple[tuple[FiniteFloat, FiniteFloat], ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _check(self) -> Self:
        rates = [rate for rate, _ in self.knots]
        points = [value for _, value in self.knots]
        if min(rates) < 0 or max(rates) > 1:
            raise ValueError("rates are fractions between 0 and 1 (write 7 % as 0.07)")
        if any(b <= a for a, b in itertools.pairwise(rates)):
            raise ValueError("rates must rise from knot to knot")
        if min(points) < 0:
            raise ValueError("points cannot be negative")
        return self

    @property
    def most(self) -> float:
        """The most points the curve gives."""
        return max(points for _, points in self.knots)

    def points(self, rate: pl.Expr) -> pl.Expr:
        """Points of a rate, null where the rate is null or not a number.

        >>> curve = PointCurve(knots=((0, 0), (0.07, 35)))
        >>> pl.select(curve.points(pl.lit(0.035))).item()
        17.5
        """
        (_first_rate, first), *rest = self.knots
        value = pl.lit(float(first))
        for (r0, p0), (r1, p1) in zip(self.knots, rest, strict=False):
            if self.interpolation == "step":
                value = pl.when(rate >= r1).then(pl.lit(float(p1))).otherwise(value)
            else:
                share = (rate - r0) / (r1 - r0)
                within = p0 * (1 - share) + p1 * share
                value = (
                    pl.when(rate >= r1)
                    .then(float(p1))
                    .when(rate > r0)
                    .then(within)
                    .otherwise(value)
                )
        return pl.when(rate.is_not_null() & rate.is_not_nan()).then(value)


class ReplyCurve(PointCurve):
    """Points never fall as replies rise."""

    @model_validator(mode="after")
    def _rising(self) -> Self:
        points = [value for _, value in self.knots]
        if any(b < a for a, b in itertools.pairwise(points)):
            raise ValueError("points must not fall as the reply rate rises")
        return self


class BounceCurve(PointCurve):
    """Points never rise as bounces rise."""

    @model_validator(mode="after")
    def _falling(self) -> Self:
        points = [value for _, value in self.knots]
        if any(b > a for a, b in itertools.pairwise(points)):
            raise ValueError("points must not rise as the bounce rate rises")
        return self


def _plain_name(name: str) -> str:
    if not name.strip():
        raise ValueError("must not be empty")
    return name.strip()


Name = Annotated[str, AfterValidator(_plain_name), Field(max_length=80)]


class Band(_Frozen):
    """A named range of scores: from `lower` (included) up to the next band."""

    name: Name
    lower: FiniteFloat

    @property
    def slug(self) -> str:
        """The name as it stands in a column's name, as in `p_excellent`."""
        return re.sub(r"\W+", "_", self.name.casefold()).strip("_") or "band"


class ScoringPolicy(_Frozen):
    """A named way to score: counting rules, minimum, two point curves and ascending bands.

    The score is reply points + bounce points, so it lies in 0 … `most`.
    """

    name: Name
    version: Annotated[int, Field(ge=1)] = 1
    source: str = ""
    counting: CountingRules = CountingRules()
    minimum: Minimum = Minimum()
    reply_points: ReplyCurve
    bounce_points: BounceCurve
    bands: Annotated[tuple[Band, ...], Field(min_length=1, max_length=12)]

    @model_validator(mode="after")
    def _check(self) -> Self:
        lowers = [band.lower for band in self.bands]
        if lowers[0] != 0:
            raise ValueError("bands: the first band must start at 0")
        if any(b <= a for a, b in itertools.pairwise(lowers)):
            raise ValueError("bands: lower edges must rise from band to band")
        if lowers[-1] > self.most:
            raise ValueError(
                f"bands: the last edge {lowers[-1]:g} is above the highest score {self.most:g}"
            )
        slugs = [band.slug for band in self.bands]
        if len(set(slugs)) < len(slugs):
            raise ValueError("bands: two bands have the same name")
        return self

    @property
    def most(self) -> float:
        """The highest score there is."""
        return self.reply_points.most + self.bounce_points.most

    @property
    def band_names(self) -> tuple[str, ...]:
        """The bands' names from the lowest to the highest."""
        return tuple(band.name for band in self.bands)

    @property
    def fingerprint(self) -> str:
        """Twelve hexadecimal digits that change whenever anything that is scored with changes."""
        scored_with = self.model_dump(mode="json", exclude={"source"})
        text = json.dumps(scored_with, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @property
    def label(self) -> str:
        """Name, version and fingerprint in one line, as charts and reports print it."""
        return f"{self.name} v{self.version} ({self.fingerprint})"

    def band(self, score: pl.Expr) -> pl.Expr:
        """The band of a score as an Enum in the bands' order; null where the score is null."""
        name = pl.lit(self.bands[0].name)
        for band in self.bands[1:]:
            # The sum of two interpolated points may fall short of an edge by rounding alone.
            name = pl.when(score >= band.lower - 1e-9).then(pl.lit(band.name)).otherwise(name)
        return pl.when(score.is_not_null()).then(name).cast(pl.Enum(self.band_names))

    def to_toml(self) -> str:
        """The policy as TOML that reads back equal."""
        return _to_toml(self)


def load_policy(policy: str | Path | ScoringPolicy = DEFAULT_POLICY) -> ScoringPolicy:
    """A policy by preset name or from a TOML file.

    Args:
        policy: The name of a preset (see `preset_names`), the path of a TOML file, or a policy,
            which is returned as it is.

    Raises:
        PolicyError: No such preset or file, or an invalid policy; names the file and the key.

    >>> load_policy().band_names
    ('Low', 'Fair', 'Good', 'Excellent')
    """
    if isinstance(policy, ScoringPolicy):
        return policy
    name = str(policy)
    if name in preset_names():
        return parse_policy(_preset(name), where=name)
    path = Path(name)
    if path.suffix != ".toml" and not path.is_file():
        raise PolicyError(
            f"There is no policy named {name!r}.",
            hint=did_you_mean(name, preset_names()) + " Or give the path of a TOML file.",
        )
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PolicyError(f"The policy cannot be read ({error}).", where=name) from None
    return parse_policy(text, where=name)


def parse_policy(text: str, *, where: str = "policy") -> ScoringPolicy:
    """A policy from the text of a TOML file.

    Raises:
        PolicyError: Not TOML, or not a valid policy; `where` and the key are named.
    """
    try:
        data: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PolicyError(f"Not valid TOML: {error}.", where=where) from None
    try:
        return ScoringPolicy.model_validate(data)
    except ValidationError as error:
        location, message, unknown = problem = first_problem(error)
        known = keys_at(ScoringPolicy, location[:-1])
        hint = did_you_mean(str(location[-1]), known) if unknown else None
        more = error.error_count() - 1
        also = f" ({more} more after it)" if more else ""
        raise PolicyError(
            f"{problem.key + ': ' if location else ''}{message}{also}.", where=where, hint=hint
        ) from None


def preset_names() -> tuple[str, ...]:
    """The policies that come with the package."""
    folder = resources.files("senderscore_nb").joinpath("policies")
    return tuple(
        sorted(f.name.removesuffix(".toml") for f in folder.iterdir() if f.name.endswith(".toml"))
    )


def _preset(name: str) -> str:
    return (
        resources.files("senderscore_nb")
        .joinpath("policies", f"{name}.toml")
        .read_text(encoding="utf-8")
    )


def _to_toml(policy: ScoringPolicy) -> str:
    def text(value: object) -> str:
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")

    lines = [f"name = {text(policy.name)}", f"version = {policy.version}"]
    lines += [f"source = {text(policy.source)}"]
    for section in ("counting", "minimum"):
        lines += ["", f"[{section}]"]
        lines += [f"{k} = {text(v)}" for k, v in getattr(policy, section).model_dump().items()]
    for section in ("reply_points", "bounce_points"):
        curve: PointCurve = getattr(policy, section)
        lines += ["", f"[{section}]", f"interpolation = {text(curve.interpolation)}"]
        lines += [f"knots = {text([list(knot) for knot in curve.knots])}"]
    for band in policy.bands:
        lines += ["", "[[bands]]", f"name = {text(band.name)}", f"lower = {band.lower!r}"]
    return "\n".join(lines) + "\n"
