"""A view over data → the frame that is drawn: plain values and two small arrays of bytes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from senderscore_nb.charts import words
from senderscore_nb.explorer.comparing import against, comparison, sides_of
from senderscore_nb.explorer.data import Data
from senderscore_nb.explorer.index import ENDED, Mask, TallyIndex
from senderscore_nb.explorer.kernel import SCORED, Certainty, Scores, score_cells
from senderscore_nb.explorer.rows import (
    days_of,
    labels_of,
    listed,
    rows_of,
    scale_of,
    sorted_places,
)
from senderscore_nb.explorer.scene import Group, Scene, Weeks
from senderscore_nb.explorer.state import View, preset_days
from senderscore_nb.explorer.why import reasons
from senderscore_nb.policy import ScoringPolicy
from senderscore_nb.widget.frame import Frame

PAGE = 24
"""Gauges, and rows of the table, on a page."""

MOST_COLUMNS = 48
"""Sequences in a heatmap; the ones with the most enrollments."""

_MONTHS_FROM = 40  # weeks from which a trend is drawn by every fourth week
_EVERY = 4

NO_ROW = -1

NO_FILTERS: Mapping[str, Any] = {
    **{name: [] for name in ("users", "teams", "sequences")},
    **dict.fromkeys(("user", "sequence", "start", "end", "brush_start", "brush_end"), ""),
}
"""The values of a view that nothing is filtered by."""


@dataclass(frozen=True)
class Drawing:
    """A frame under way: what it is of, and the rows that it shows."""

    frame: Frame
    scene: Scene
    group: Group
    view: View
    sure: Certainty


def draw(data: Data, view: View, certainty: Certainty) -> Frame:
    """The frame of a view.

    Raises:
        SenderScoreError: The view cannot be shown, as where its policy cannot be read.
    """
    scene = Scene.seen(data, view)
    group = rows_shown(scene, view)
    enrollments = int(group.counts(*scene.span)[ENDED].sum())
    frame = Frame({"view": view.to_parameters()})
    frame.values |= {
        "enrollments": enrollments,
        "days": days_of(scene),
        "policy": {**scale_of(scene.policy), "shown": data.policy_shown(view.policy)},
        "range": range_of(scene.index),
        "crumbs": _crumbs(data, view),
        "level": "week" if view.sequence else "sequence" if view.user else "user",
        "brushed": _brushed(view),
    }
    if not enrollments:
        frame.values["empty"] = _ways_back(data, view)
        return frame
    whole = scene.together(group, own=bool(view.user))
    frame.values["together"] = rows_of(
        whole, scene.policy, certainty, minimum=scene.policy.minimum.user
    )[0]
    _PANELS[view.panel](Drawing(frame, scene, group, view, certainty))
    return frame


def rows_shown(scene: Scene, view: View) -> Group:
    """The rows of a view: senders; the sequences of one; or one sequence of one."""
    return scene.sequences_of(view.user) if view.user else scene.senders


def _gauges(at: Drawing) -> None:
    if at.view.sequence:
        _trend(at)
    else:
        _table(at)


def _table(at: Drawing) -> None:
    at.frame.values["list"] = listed(at.scene, at.group, at.view, at.sure, size=PAGE)


def _trend(at: Drawing) -> None:
    scene, group, view = at.scene, at.group, at.view
    weeks = trend_weeks(scene, view)
    counts = week_counts(group, weeks).sum(axis=1)
    policy, seat = scene.policy, bool(group.seat[0]) if view.user else True
    minimum = policy.minimum.sequence if view.sequence else policy.minimum.user
    scores = score_cells(counts, policy, minimum=minimum, seat=seat)
    held = np.flatnonzero(scores.ended > 0)
    rows = rows_of(scores.at(held), policy, at.sure, minimum=minimum)
    for row, place in zip(rows, held, strict=True):
        row["day"] = weeks.mondays[place].isoformat()
        row["label"] = words.day(weeks.mondays[place])
    step = (weeks.mondays[1] - weeks.mondays[0]).days if len(weeks.mondays) > 1 else 7
    at.frame.values["trend"] = {
        "rows": rows,
        "weeks": view.weeks,
        "step": step,
        "short": scene.too_short(view.weeks),
    }


def trend_weeks(scene: Scene, view: View) -> Weeks:
    """The weeks of a trend: each one, or every fourth up to the last where they are many.

    Points that are left out must lie within those that are drawn: nothing is thinned where a point
    covers fewer than four weeks.
    """
    weeks = scene.weeks(view.weeks)
    if view.weeks < _EVERY or len(weeks.mondays) <= _MONTHS_FROM:
        return weeks
    places = np.arange(len(weeks.mondays) - 1, -1, -_EVERY)[::-1]
    return Weeks([weeks.mondays[i] for i in places], weeks.low[places], weeks.high[places])


def week_counts(group: Group, weeks: Weeks) -> Any:
    """Sums of each row in each week, shape (measures, rows, weeks)."""
    return group.cube[:, :, weeks.high] - group.cube[:, :, weeks.low]


def _heatmaps(at: Drawing) -> None:
    frame, scene, group, view = at.frame, at.scene, at.group, at.view
    # The weeks are those of the selection: the brush is drawn on them, and filters the rest.
    unbrushed = Scene.seen(scene.data, view.updated(brush_start=None, brush_end=None))
    weeks = unbrushed.weeks(view.weeks)
    rows = rows_shown(unbrushed, view)
    order = sorted_places(scene.scored(group), labels_of(scene.data, group), view)
    rest = np.setdiff1d(np.flatnonzero(unbrushed.scored(rows).ended > 0), order)
    places = np.concatenate([order, rest])
    keys = [rows.ids[i] for i in places]
    scores = score_cells(
        week_counts(rows, weeks)[:, places],
        scene.policy,
        minimum=rows.minimum,
        seat=rows.seat[places, None],
    )
    named = _named(scene.data, rows.kind, keys)
    frame.values["weeks"] = {
        **_matrix(frame, scores, scene.policy),
        "rows": named,
        "columns": [{"id": m.isoformat(), "label": words.day(m)} for m in weeks.mondays],
        "kind": rows.kind,
        "span": view.weeks,
        "short": unbrushed.too_short(view.weeks),
        "hint": _brushable(unbrushed, weeks, view.weeks),
    }
    if not view.user:
        pairs = _pairs(frame, scene, keys, rows.seat[places])
        frame.values["pairs"] = {**pairs, "rows": named}


def _pairs(frame: Frame, scene: Scene, users: list[str], seat: Mask) -> dict[str, Any]:
    low, high = scene.span
    index = scene.index
    sizes = index.sizes(scene.users, low, high)
    if scene.sequences is not None:
        sizes = np.where(scene.sequences, sizes, 0)
    order = np.argsort(-sizes, kind="stable")
    columns = order[: min(MOST_COLUMNS, int(np.count_nonzero(sizes)))]
    counts = index.pairs(scene.users, columns, low, high)
    place = {key: i for i, key in enumerate(index.users)}
    counts = counts[:, [place[key] for key in users]]
    policy = scene.policy
    scores = score_cells(counts, policy, minimum=policy.minimum.sequence, seat=seat[:, None])
    keys = [index.sequences[i] for i in columns]
    return {
        **_matrix(frame, scores, policy),
        "columns": _named(scene.data, "sequence", keys),
        "total": int(np.count_nonzero(sizes)),
        "kind": "user",
    }


def _matrix(frame: Frame, scores: Scores, policy: ScoringPolicy) -> dict[str, Any]:
    """Cells as two arrays: the band or why there is none, and the score as a share of the most."""
    state = np.where(scores.status == SCORED, scores.band, -1 - scores.status)
    state = np.where(scores.ended > 0, state, NO_ROW)
    share = np.nan_to_num(scores.score / max(policy.most, 1e-12)) * 30_000
    return {
        "states": frame.keep(state.astype(np.int8)),
        "shares": frame.keep(share.round().astype(np.int16)),
        "ended": frame.keep(np.minimum(scores.ended, 2**31 - 1).astype(np.int32)),
    }


def _named(data: Data, kind: str, keys: list[str]) -> list[dict[str, str]]:
    known = data.user_labels if kind == "user" else data.sequence_labels
    return [{"id": key, "label": known.get(key, key)} for key in keys]


def _compare(at: Drawing) -> None:
    at.frame.values["compare"] = comparison(at.scene, at.view, at.sure)


def _why(at: Drawing) -> None:
    sides = sides_of(at.scene, at.view)
    at.frame.values["compare"] = against(at.scene, sides, at.view)
    at.frame.values["why"] = reasons(sides, at.view)


_PANELS: dict[str, Callable[[Drawing], None]] = {
    "gauges": _gauges,
    "heatmaps": _heatmaps,
    "trend": _trend,
    "table": _table,
    "compare": _compare,
    "why": _why,
}


def range_of(index: TallyIndex) -> dict[str, Any]:
    """The days that can be chosen, and the ranges that are offered by name."""
    presets = preset_days(index.first, index.last)
    return {
        "first": index.first.isoformat(),
        "last": index.last.isoformat(),
        "presets": {k: [str(a), str(b)] for k, (a, b) in presets.items()},
    }


def _brushable(scene: Scene, weeks: Weeks, span: int) -> str:
    """What a brush across the weeks takes."""
    if not weeks.mondays:
        return ""
    said = "Drag across weeks to brush them: everything else then counts only these."
    if span == 1:
        return said
    said += f" A cell covers {span} weeks up to the one it is named for, and only that is brushed."
    low, first = scene.span[0], scene.index.first
    if weeks.mondays[0] > first + dt.timedelta(days=low):
        before = words.day(weeks.mondays[0], year=False)
        said += f" Days before {before} have no whole {span} weeks: choose 1 week to brush them."
    return said


def _brushed(view: View) -> str:
    if not view.brush_start or not view.brush_end:
        return ""
    return f"{words.day(view.brush_start, year=False)} – {words.day(view.brush_end)}"


def _crumbs(data: Data, view: View) -> list[dict[str, Any]]:
    crumbs: list[dict[str, Any]] = [{"label": "All senders", "go": {"user": "", "sequence": ""}}]
    if view.user:
        name = data.user_labels.get(view.user, view.user)
        crumbs.append({"label": name, "go": {"user": view.user, "sequence": ""}})
    if view.sequence:
        name = data.sequence_labels.get(view.sequence, view.sequence)
        crumbs.append({"label": name, "go": {"user": view.user, "sequence": view.sequence}})
    return crumbs


def _ways_back(data: Data, view: View) -> list[dict[str, Any]]:
    """Single filters to take back, each with the enrollments that would then be there."""
    selected = view.selection
    ways: list[tuple[str, bool, dict[str, Any]]] = [
        ("Without the brushed weeks", bool(view.brush_start), {"brush_start": "", "brush_end": ""}),
        ("All days", bool(selected.start or selected.end),
         {"start": "", "end": "", "brush_start": "", "brush_end": ""}),
        ("All senders", bool(view.user), {"user": "", "sequence": ""}),
        ("All users", bool(selected.users), {"users": [], "user": "", "sequence": ""}),
        ("All teams", bool(selected.teams), {"teams": []}),
        ("All sequences", bool(selected.sequences or view.sequence),
         {"sequences": [], "sequence": ""}),
    ]  # fmt: skip
    found = []
    for label, filtered, change in ways:
        if filtered:
            n = Scene.seen(data, view.updated(**change)).enrollments
            if n:
                found.append({"label": label, "go": change, "enrollments": n})
    n = Scene.seen(data, view.updated(**NO_FILTERS)).enrollments
    return [*found, {"label": "Take all filters off", "go": dict(NO_FILTERS), "enrollments": n}]
