"""Scored cells as plain rows for the view: names, numbers, intervals and words."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from senderscore_nb.charts import band_colours, ink_on, words
from senderscore_nb.explorer.data import Data
from senderscore_nb.explorer.index import Ints
from senderscore_nb.explorer.kernel import (
    COLLECTING,
    NOT_COMPUTABLE,
    SCORED,
    Certainty,
    Scores,
    wilson_limits,
)
from senderscore_nb.explorer.scene import Group, Scene
from senderscore_nb.explorer.state import View
from senderscore_nb.policy import ScoringPolicy
from senderscore_nb.score import STATUSES

Row = dict[str, Any]

_WORDS = {"collecting": "Collecting", "no_paid_seat": "No paid seat"}


def rows_of(
    scores: Scores,
    policy: ScoringPolicy,
    certainty: Certainty,
    *,
    minimum: int,
    expected: Sequence[dt.date | None] = (),
) -> list[Row]:
    """A row for each cell of a one-dimensional `Scores`; what is not known is None."""
    replies = wilson_limits(scores.replied, scores.reply_n)
    bounces = wilson_limits(scores.bounced, scores.ended)
    sure = certainty.of(scores, policy)
    rows = []
    for i, known in enumerate(sure):
        status = int(scores.status[i])
        row: Row = {
            "ended": int(scores.ended[i]),
            "status": STATUSES[status],
            "reply": _rate(scores.reply_rate[i], replies[0][i], replies[1][i]),
            "bounce": _rate(scores.bounce_rate[i], bounces[0][i], bounces[1][i]),
        }
        if known is not None and status == SCORED:
            score = float(scores.score[i])
            row |= {
                "score": round(score, 4),
                "text": words.points(score, policy),
                "low": round(known.low, 2),
                "high": round(known.high, 2),
                "band": int(scores.band[i]),
                "verdict": known.verdict,
                "sure": round(known.probability, 3),
            }
        else:
            row["verdict"] = _WORDS.get(STATUSES[status], "Not computable")
            row["missing"] = max(0, minimum - int(scores.ended[i]))
            if status == NOT_COMPUTABLE:
                row["why"] = _why(row, int(scores.reply_n[i]))
            day = expected[i] if len(expected) else None
            if status == COLLECTING and day is not None:
                row["expected"] = words.day(day)
        rows.append(row)
    return rows


def listed(
    scene: Scene, group: Group, view: View, certainty: Certainty, *, size: int
) -> dict[str, Any]:
    """A page of the rows of a group, sorted as the view says, and how many there are."""
    scores = scene.scored(group)
    order = sorted_places(scores, labels_of(scene.data, group), view)
    pages = max(1, -(-len(order) // size))
    page = min(view.page, pages - 1)
    shown = order[page * size : (page + 1) * size]
    part, some = scores.at(shown), group.at(shown)
    missing = np.maximum(0, group.minimum - part.ended)
    rows = rows_of(
        part,
        scene.policy,
        certainty,
        minimum=group.minimum,
        expected=scene.expected(some, missing),
    )
    names = labels_of(scene.data, some)
    for row, key, name in zip(rows, some.ids, names, strict=True):
        row |= {"id": key, "label": name}
    return {
        "kind": group.kind,
        "rows": rows,
        "total": len(order),
        "page": page,
        "pages": pages,
        "size": size,
    }


def labels_of(data: Data, group: Group) -> list[str]:
    """The labels of a group's rows."""
    known = data.user_labels if group.kind == "user" else data.sequence_labels
    return [known.get(key, key) for key in group.ids]


def sorted_places(scores: Scores, labels: Sequence[str], view: View) -> Ints:
    """The places of the rows that ended anything, in the order that the view asks for.

    Rows without the value that is sorted by come last in either direction, the larger ones first.
    """
    held = np.flatnonzero(scores.ended > 0)
    names = np.argsort(np.argsort(np.array(labels, dtype=object)[held], kind="stable"))
    if view.sort == "name":
        key = names.astype(np.float64)
    elif view.sort == "ended":
        key = scores.ended[held].astype(np.float64)
    else:
        key = getattr(scores, view.sort)[held].astype(np.float64)
    last = np.isnan(key)
    key = np.where(last, 0.0, -key if view.descending else key)
    rest = np.where(last, scores.status[held], 0)
    size = np.where(last, -scores.ended[held], 0)
    order: Ints = held[np.lexsort((names, size, rest, key, last))]
    return order


def _why(row: Row, reply_n: int) -> str:
    """Why there is no score of enough enrollments."""
    if row["bounce"] is None:
        return "bounces are not known"
    return "nothing was delivered" if reply_n <= 0 else "replies are not known"


def _rate(value: float, low: float, high: float) -> list[float] | None:
    if not np.isfinite(value):
        return None
    return [round(float(v), 5) for v in (value, low, high)]


def days_of(scene: Scene) -> str:
    """The first and the last day that a scene counts, in words."""
    low, high = scene.span
    if low >= high:
        return "no days"
    first, last = (scene.index.first + dt.timedelta(days=n) for n in (low, high - 1))
    if first == last:
        return words.day(first)
    return f"{words.day(first, year=first.year != last.year)} – {words.day(last)}"


def scale_of(policy: ScoringPolicy) -> dict[str, Any]:
    """What gauges, cells and strips are drawn with: the bands, their edges and colours."""
    return dict(_scale_of(policy))


@lru_cache(maxsize=32)
def _scale_of(policy: ScoringPolicy) -> Row:
    named = zip(words.band_labels(policy), policy.bands, band_colours(policy), strict=True)
    return {
        "label": words.clip(policy.label, 110),
        "most": policy.most or 1.0,
        "bands": [
            {"name": name, "lower": band.lower, "colour": colour, "on": ink_on(colour)}
            for name, band, colour in named
        ],
        "basis": policy.counting.date_basis,
    }
