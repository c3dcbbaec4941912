"""How figures and names are written on charts."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Sequence

from senderscore_nb.policy import ScoringPolicy

MOST_CHARACTERS = 60

# Control characters, and the marks that would turn the direction of the text around a name.
_INVISIBLE = re.compile("[\x00-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]+")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_THIN_SPACE = "\u2009"


def clip(text: object, most: int = MOST_CHARACTERS) -> str:
    r"""A name as one short line of visible text.

    >>> clip("Ann\x00 " + "y" * 99, 10)
    'Ann  yyyy…'
    """
    clean = _INVISIBLE.sub(" ", str(text)[:400]).strip() or "(blank)"
    return clean if len(clean) <= most else clean[: most - 1] + "…"


def distinct(labels: Sequence[str], ids: Sequence[str]) -> list[str]:
    """Labels that tell rows apart: as they are, else with the id, else with a number.

    >>> distinct(["Ann", "Ann", "Bo"], ["1", "2", "3"])
    ['Ann (1)', 'Ann (2)', 'Bo']
    """
    shown = [clip(label) for label in labels]
    named = [
        f"{clip(label, 40)} ({clip(key, 16)})" if shown.count(label) > 1 else label
        for label, key in zip(shown, ids, strict=True)
    ]
    seen: set[str] = set()
    result = []
    for label in named:
        unique, turn = label, 2
        while unique in seen:
            unique, turn = f"{label} #{turn}", turn + 1
        seen.add(unique)
        result.append(unique)
    return result


def band_labels(policy: ScoringPolicy) -> list[str]:
    """The bands' names, short enough to draw, from the lowest to the highest."""
    names = [clip(name, 24) for name in policy.band_names]
    return distinct(names, [str(i + 1) for i in range(len(names))])


def band_index(score: float, policy: ScoringPolicy) -> int:
    """The place of a score's band in the policy, from 0."""
    return max(i for i, b in enumerate(policy.bands) if i == 0 or score >= b.lower - 1e-9)


def points(score: float | None, policy: ScoringPolicy, digits: int = 1) -> str:
    """A score, rounded, but never across the edge of its band.

    >>> from senderscore_nb.policy import load_policy
    >>> points(71.25, load_policy()), points(69.97, load_policy())
    ('71.2', '69.9')
    """
    if score is None:
        return "–"
    text = f"{score:.{digits}f}"
    if band_index(float(text), policy) != band_index(score, policy):
        text = f"{math.floor(score * 10**digits) / 10**digits:.{digits}f}"
    return text


def span(low: float | None, high: float | None) -> str:
    """An interval of points."""
    return "–" if low is None or high is None else f"{low:.1f}–{high:.1f}"


def percent(value: float | None) -> str:
    """A fraction as a percentage.

    >>> percent(0.0712)
    '7.1 %'
    """
    return "–" if value is None else f"{100 * value:.1f} %"


def rate(value: float | None, low: float | None, high: float | None) -> str:
    """A fraction as a percentage with its interval."""
    if value is None or low is None or high is None:
        return percent(value)
    return f"{percent(value)} ({100 * low:.1f}–{percent(high)})"


def signed(value: float) -> str:
    """A change with its sign.

    >>> signed(-3.14)
    '−3.1'
    """
    return f"{value:+.1f}".replace("-", "−")


def count(value: int) -> str:
    """A count with thin spaces between thousands."""
    return f"{value:,}".replace(",", _THIN_SPACE)


def day(value: dt.date, *, year: bool = True) -> str:
    """A day as 12 Dec 2026.

    >>> day(dt.date(2026, 12, 2))
    '2 Dec 2026'
    """
    return f"{value.day} {_MONTHS[value.month - 1]}" + (f" {value.year}" if year else "")


def width_of(text: str, size: float) -> float:
    """About how many pixels a text takes, wide enough for the usual fonts."""
    return len(text) * size * 0.57
