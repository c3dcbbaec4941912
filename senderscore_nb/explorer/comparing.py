"""Two selections side by side, and whether they differ by more than noise."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from senderscore_nb.explorer.index import ENDED, Ints
from senderscore_nb.explorer.kernel import Certainty, difference_limits
from senderscore_nb.explorer.rows import (
    Row,
    days_of,
    labels_of,
    rows_of,
    scale_of,
    sorted_places,
)
from senderscore_nb.explorer.scene import Group, Scene
from senderscore_nb.explorer.state import Side, View
from senderscore_nb.selection import Selection

MOST_ROWS = 12

_MEASURES = (
    ("score", "Score", 1.0),
    ("reply", "Reply rate", 100.0),
    ("bounce", "Bounce rate", 100.0),
)


@dataclass(frozen=True)
class Sides:
    """What is compared, as scenes: here and there."""

    here: Scene
    there: Scene


def sides_of(scene: Scene, view: View) -> Sides:
    """The two sides of a view.

    Unless the view says otherwise it is compared with the same selection just before. Where it
    reaches back to the first day there is no time before it, and its later half is compared with
    its earlier one; a single first day has no halves, and is compared with nothing.
    """
    low, high = scene.span
    here = scene
    if view.other is None:
        if low <= 0 and high > 1:
            low = high - high // 2
            here = replace(scene, selection=_within(scene, low, high))
        side = Side(selection=_within(scene, 2 * low - high, low), policy=view.policy)
    else:
        side = view.other
    chosen = side.selection
    if view.user:
        opened = {key: getattr(scene.selection, key) for key in ("users", "teams", "sequences")}
        chosen = chosen.model_copy(update=opened)
    return Sides(here, Scene.of(scene.data, chosen, side.policy, view.date_basis))


def comparison(scene: Scene, view: View, certainty: Certainty) -> dict[str, Any]:
    """Both sides together, their differences, and the largest rows side by side."""
    sides = sides_of(scene, view)
    both = []
    for one in (sides.here, sides.there):
        group = _group(one, view)
        whole = one.together(group, own=bool(view.user))
        (row,) = rows_of(whole, one.policy, certainty, minimum=one.policy.minimum.user)
        both.append((one, group, row))
    shared = _shared(both[0][:2], both[1][:2])
    return {
        **against(scene, sides, view),
        "sides": [{**row, "label": words_of_side(one), "scale": scale_of(one.policy),
                   "policy": one.policy.name} for one, _, row in both],
        "differences": _differences(both[0][2], both[1][2], shared),
        "shared": shared,
        "rows": _side_by_side(both[0][:2], both[1][:2], view, certainty),
    }  # fmt: skip


def against(scene: Scene, sides: Sides, view: View) -> dict[str, Any]:
    """What the other side is, and what it may be."""
    choices = _choices(scene)
    there = sides.there.selection
    days = [str(there.start or ""), str(there.end or "")]
    # The halves of the days go together: against other days or another team they are just days.
    named = [c for c in choices if not c.get("alone")]
    chosen = next((c["id"] for c in named if [c["start"], c["end"]] == days), "custom")
    if view.other is None:
        chosen = "before"
    elif chosen == "custom":
        label = f"{days_of(sides.there)}"
        choices.append({"id": chosen, "label": label, "start": days[0], "end": days[1]})
    alone, halved = _without_before(scene, view)
    return {
        "alone": alone,
        "halved": halved,
        "same_policy": sides.here.policy == sides.there.policy,
        "choices": choices,
        "chosen": chosen,
        "other": {
            "teams": list(there.teams),
            "policy": view.other.policy if view.other else view.policy,
            "shown": scene.data.policy_shown(view.other.policy if view.other else view.policy),
        },
    }


def _without_before(scene: Scene, view: View) -> tuple[str, str]:
    """What is said where there is no time before: that there is none, or that days are halved."""
    low, high = scene.span
    if view.other is not None or low > 0:
        return "", ""
    if high <= 1:
        return (
            "This is the first day of the data, so there is nothing before it to compare it with. "
            "Choose other days, another team or another policy on the right."
        ), ""
    return "", (
        f"Nothing comes before {days_of(scene)}: the later half of these days, on the left, is "
        "compared with the earlier half."
    )


def _within(scene: Scene, low: int, high: int) -> Selection:
    """The scene's selection on the days from one place to before another."""
    first = scene.index.first
    days = {
        "start": first + dt.timedelta(days=low),
        "end": first + dt.timedelta(days=max(high - 1, low)),
    }
    return scene.selection.model_copy(update=days)


def _choices(scene: Scene) -> list[dict[str, Any]]:
    """The days that may be compared with, besides what a view says.

    What is `alone` stands for both sides at once: it is chosen without another team or policy.
    """
    low, high = scene.span
    earlier = _within(scene, low - 28, high - 28)
    year = _within(scene, low - 364, high - 364)
    own = scene.selection
    start = low if low > 0 else high - high // 2
    before = _within(scene, 2 * start - high, start)
    halves = "Their later half with their earlier one"
    named = (
        ("before", "The time just before" if low > 0 else halves, before),
        ("four_weeks", "4 weeks earlier", earlier),
        ("year", "52 weeks earlier", year),
        ("same", "The same days", own),
    )
    choices: list[dict[str, Any]] = [
        {"id": key, "label": label, "start": str(s.start or ""), "end": str(s.end or "")}
        for key, label, s in named
    ]
    if low <= 0:
        choices[0]["alone"] = True
    if low <= 0 and high <= 1:
        choices[0]["label"] = "Nothing: there is no day before"
    if own.start or own.end:
        choices.append({"id": "all", "label": "All days", "start": "", "end": ""})
    return choices


def _group(scene: Scene, view: View) -> Group:
    return scene.sequences_of(view.user) if view.user else scene.senders


def words_of_side(scene: Scene) -> str:
    """A side in words: its days, teams, users and sequences."""
    chosen = scene.selection
    parts = [days_of(scene)]
    if chosen.teams:
        parts.append(("team " if len(chosen.teams) == 1 else "teams ") + ", ".join(chosen.teams))
    for word, ids, labels in (
        ("users", chosen.users, scene.data.user_labels),
        ("sequences", chosen.sequences, scene.data.sequence_labels),
    ):
        if ids:
            parts.append(labels.get(ids[0], ids[0]) if len(ids) == 1 else f"{len(ids)} {word}")
    return " · ".join(parts)


def _shared(one: tuple[Scene, Group], other: tuple[Scene, Group]) -> int:
    """Enrollments that both sides count: what is shared cannot differ."""
    (here, ours), (there, theirs) = one, other
    low, high = max(here.span[0], there.span[0]), min(here.span[1], there.span[1])
    if low >= high or here.index is not there.index:
        return 0
    if ours.kind == "user" and there.sequences is not None:
        both = there.sequences if here.sequences is None else here.sequences & there.sequences
        cube = here.index.senders(both)
        place = {key: i for i, key in enumerate(here.index.users)}
        ours = replace(ours, cube=cube[:, [place[key] for key in ours.ids]])
    known = set(theirs.ids)
    places = [i for i, key in enumerate(ours.ids) if key in known]
    common: Ints = ours.at(np.array(places, dtype=np.int64)).counts(low, high)
    return int(common[ENDED].sum())


def _differences(now: Row, before: Row, shared: int) -> list[dict[str, Any]]:
    """The difference of each measure with its interval."""
    product = now["ended"] * before["ended"]
    rho = min(1.0, shared / product**0.5) if product else 0.0
    found: list[dict[str, Any]] = []
    for name, label, scale in _MEASURES:
        a, b = _estimate(now, name), _estimate(before, name)
        one: dict[str, Any] = {"label": label, "name": name, "change": None}
        if a and b:
            low, high = difference_limits(a, b, correlation=rho)
            one |= {"change": scale * (a[0] - b[0]), "low": scale * low, "high": scale * high}
            one["certain"] = low > 0 or high < 0
        found.append(one)
    return found


def _estimate(row: Row, name: str) -> tuple[float, float, float] | None:
    if name == "score":
        return (row["score"], row["low"], row["high"]) if "score" in row else None
    known = row[name]
    return (known[0], known[1], known[2]) if known else None


def _side_by_side(
    one: tuple[Scene, Group], other: tuple[Scene, Group], view: View, certainty: Certainty
) -> list[dict[str, Any]]:
    """The rows of this side, in the view's order, each with its row of the other side."""
    scene, group = one
    scores = scene.scored(group)
    order = sorted_places(scores, labels_of(scene.data, group), view)[:MOST_ROWS]
    some = group.at(order)
    left = rows_of(scores.at(order), scene.policy, certainty, minimum=group.minimum)
    there, theirs = other
    place = {key: i for i, key in enumerate(theirs.ids)}
    keys = [key for key in some.ids if key in place]
    part = there.scored(theirs).at(np.array([place[key] for key in keys], dtype=np.int64))
    rows = rows_of(part, there.policy, certainty, minimum=theirs.minimum)
    right = dict(zip(keys, rows, strict=True))
    return [
        {"id": key, "label": name, "here": row, "there": right.get(key)}
        for key, name, row in zip(some.ids, labels_of(scene.data, some), left, strict=True)
    ]
