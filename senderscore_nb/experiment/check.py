"""A policy file looked over: every mistake at once, and what it says in words."""

from __future__ import annotations

import itertools
import math
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import TypeAdapter, ValidationError

from senderscore_nb.errors import PolicyError, did_you_mean, keys_at, problems
from senderscore_nb.policy import (
    BounceCurve,
    CountingRules,
    PointCurve,
    ReplyCurve,
    ScoringPolicy,
    load_policy,
    preset_names,
)
from senderscore_nb.safe import shown

_CURVES: dict[str, type[PointCurve]] = {"reply_points": ReplyCurve, "bounce_points": BounceCurve}


def mistakes(policy: str | Path) -> list[str]:
    """Every mistake of a policy file, a sentence each with its key; none where it is valid.

    Args:
        policy: The path of a TOML file, or a preset's name.

    Raises:
        PolicyError: The file cannot be read or is not TOML.
    """
    name = str(policy)
    if name in preset_names():
        return []
    path = Path(name)
    if not path.is_file():
        load_policy(name)
        raise PolicyError("There is no such file.", where=name)
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise PolicyError(f"The policy cannot be read ({error}).", where=name) from None
    except tomllib.TOMLDecodeError as error:
        raise PolicyError(f"Not valid TOML: {error}.", where=name) from None
    return mistakes_in(data)


def mistakes_in(data: Mapping[str, Any]) -> list[str]:
    """Every mistake of a policy as TOML reads it, a sentence each with its key."""
    found = list(dict.fromkeys(_field_mistakes(data)))
    found += list(_band_mistakes(data))
    if not found:
        try:
            ScoringPolicy.model_validate(dict(data))
        except ValidationError as error:
            found = [_sentence(p.key, p.message) for p in problems(error)]
    return found


def _field_mistakes(data: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong within a field. Each is looked at by itself, so that no mistake hides one."""
    for name in data:
        if name not in ScoringPolicy.model_fields:
            known = list(ScoringPolicy.model_fields)
            yield f"{_sentence(shown(name), 'this key is unknown')} {did_you_mean(name, known)}"
    for name, field in ScoringPolicy.model_fields.items():
        if name not in data:
            if field.is_required():
                yield _sentence(name, "is missing")
        elif name in _CURVES:
            yield from _curve_mistakes(name, data[name])
        else:
            kind: Any = field.annotation
            for part in field.metadata:
                kind = Annotated[kind, part]
            yield from _of(kind, data[name], name)


def _of(kind: Any, value: Any, name: str) -> Iterator[str]:
    try:
        TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        for problem in problems(error):
            location = (name, *problem.location)
            text = _sentence(".".join(shown(part) for part in location), problem.message)
            if problem.unknown:
                near = did_you_mean(str(location[-1]), keys_at(ScoringPolicy, location[:-1]))
                text += f" {near}"
            yield text


def _curve_mistakes(name: str, value: Any) -> Iterator[str]:
    knots = value.get("knots") if isinstance(value, Mapping) else None
    pairs = _pairs(knots)
    if pairs is None:
        yield from _of(_CURVES[name], value, name)
        return
    # The knots are judged below, each of them; the rest of the table with knots that are valid.
    plain = {**value, "knots": [[0.0, 0.0]]} if isinstance(value, Mapping) else value
    yield from _of(_CURVES[name], plain, name)
    for i, (rate, points) in enumerate(pairs):
        key = f"{name}.knots.{i + 1}"
        if not 0 <= rate <= 1:
            yield f"{key}: the rate {rate:g} is not between 0 and 1 (write 7 % as 0.07)."
        if points < 0:
            yield f"{key}: points cannot be negative, found {points:g}."
    falling = name == "bounce_points"
    for i, ((r0, p0), (r1, p1)) in enumerate(itertools.pairwise(pairs)):
        key = f"{name}.knots.{i + 2}"
        if r1 <= r0:
            yield f"{key}: rates must rise from knot to knot, found {r1:g} after {r0:g}."
        if (p1 > p0) if falling else (p1 < p0):
            word = "rise as the bounce rate rises" if falling else "fall as the reply rate rises"
            yield f"{key}: points must not {word}, found {p1:g} after {p0:g}."


def _pairs(knots: Any) -> list[tuple[float, float]] | None:
    """Knots as numbers; None where they are not pairs of finite numbers."""
    if not isinstance(knots, list) or not knots:
        return None
    pairs = []
    for knot in knots:
        if not isinstance(knot, list) or len(knot) != 2:
            return None
        if not all(_is_number(value) for value in knot):
            return None
        pairs.append((float(knot[0]), float(knot[1])))
    return pairs


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _band_mistakes(data: Mapping[str, Any]) -> Iterator[str]:
    bands = data.get("bands")
    if not isinstance(bands, list) or not bands:
        return
    named = [b for b in bands if isinstance(b, Mapping)]
    if len(named) < len(bands) or not all(_is_number(b.get("lower")) for b in named):
        return
    lowers = [float(b["lower"]) for b in named]
    if lowers[0] != 0:
        yield f"bands.1.lower: the first band must start at 0, found {lowers[0]:g}."
    for i, (low, high) in enumerate(itertools.pairwise(lowers)):
        if high <= low:
            yield (
                f"bands.{i + 2}.lower: lower edges must rise from band to band, found {high:g} "
                f"after {low:g}."
            )
    most = _most(data)
    if most is not None and lowers[-1] > most:
        yield (
            f"bands.{len(lowers)}.lower: the last edge {lowers[-1]:g} is above the highest score "
            f"{most:g}."
        )


def _most(data: Mapping[str, Any]) -> float | None:
    total = 0.0
    for name in _CURVES:
        value = data.get(name)
        pairs = _pairs(value.get("knots")) if isinstance(value, Mapping) else None
        if pairs is None:
            return None
        total += max(points for _, points in pairs)
    return total


def _sentence(key: str, message: str) -> str:
    text = f"{key}: {message}" if key else message
    return text if text.endswith((".", "?")) else f"{text}."


def described(policy: ScoringPolicy) -> list[str]:
    """What a policy says, in sentences: points, bands, minimums, counting rules, source."""
    return [
        f"Policy {policy.label}.",
        _curve_words("Replies", policy.reply_points, "reply rate"),
        _curve_words("Bounces", policy.bounce_points, "bounce rate"),
        _band_words(policy),
        f"A user needs {_enrollments(policy.minimum.user)}, a sequence "
        f"{policy.minimum.sequence}; below that there is no score.",
        *_rule_words(policy.counting),
        f"Source: {policy.source or 'not stated.'}",
    ]


def _enrollments(n: int) -> str:
    return f"{n} ended enrollment{'' if n == 1 else 's'}"


def _curve_words(word: str, curve: PointCurve, rate: str) -> str:
    spots = [f"{points:g} at {100 * at:g} %" for at, points in curve.knots]
    if len(spots) == 1:
        return f"{word}: {curve.knots[0][1]:g} points at every {rate}."
    between = "in a straight line between" if curve.interpolation == "linear" else "from each on"
    return f"{word}: points {', '.join(spots)} of the {rate}, {between}; flat outside."


def _band_words(policy: ScoringPolicy) -> str:
    lowers = [band.lower for band in policy.bands]
    uppers: Sequence[float] = [*lowers[1:], policy.most]
    named = [
        f"{band.name} from {low:g} to {'' if high == policy.most else 'below '}{high:g}"
        for band, low, high in zip(policy.bands, lowers, uppers, strict=True)
    ]
    return f"Bands of the score, 0 to {policy.most:g}: {', '.join(named)}."


def _rule_words(rules: CountingRules) -> list[str]:
    of = "delivered" if rules.reply_denominator == "delivered" else "ended"
    dated = "ended" if rules.date_basis == "ended_on" else "began"
    no = {True: "count", False: "do not count"}
    return [
        f"Reply rate: of what was {of}. An enrollment is dated by the day it {dated}.",
        f"Manual and error endings {no[rules.manual_and_error_count_as_ended]} as ended; addresses "
        f"blocked before sending {no[rules.blocked_count_as_bounced]} as bounced; out-of-office "
        f"replies {no[rules.out_of_office_count_as_replies]} as replies.",
    ]
