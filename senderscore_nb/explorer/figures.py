"""A view as native charts of `senderscore_nb.charts`, for what leaves the explorer.

The live panels draw themselves from look-ups. What is exported, saved and copied as code is made by
`score` and the package's charts from the same selection.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import polars as pl

from senderscore_nb import charts
from senderscore_nb.explorer.comparing import sides_of
from senderscore_nb.explorer.data import Data
from senderscore_nb.explorer.frames import PAGE, rows_shown
from senderscore_nb.explorer.rows import days_of, labels_of, sorted_places
from senderscore_nb.explorer.scene import Scene
from senderscore_nb.explorer.state import View
from senderscore_nb.score import score
from senderscore_nb.selection import Selection
from senderscore_nb.tally import trailing

MOST_CELLS = 40
"""Rows of a heatmap that leaves the explorer."""


@dataclass(frozen=True)
class Picture:
    """A chart, what stands above it, and the scored frame that it was made from."""

    title: str
    chart: Any
    frame: pl.DataFrame


def pictures(data: Data, view: View) -> list[Picture]:
    """The charts of a view's panel; none where its filters leave nothing.

    Raises:
        SenderScoreError: The view cannot be shown.
    """
    scene = Scene.seen(data, view)
    if not scene.enrollments:
        return []
    if view.panel == "heatmaps":
        return _heatmaps(scene, view)
    if view.panel == "compare":
        return _compared(scene, view)
    if view.panel == "trend" or view.sequence:
        frame = over_weeks(scene, view, keys_of(view))
        return [Picture(_title(scene, view), charts.trend(frame, scene.policy), frame)]
    frame = on_page(scene, view)
    if view.panel == "table":
        return [Picture(_title(scene, view), charts.ranking(frame, scene.policy), frame)]
    return [Picture(_title(scene, view), charts.gauge_wall(frame, scene.policy), frame)]


def scored(scene: Scene, by: str) -> pl.DataFrame:
    """Scores of what a scene counts, labelled."""
    low, high = scene.span
    as_of = scene.index.first + dt.timedelta(days=max(high - 1, low))
    frame = score(
        scene.selection.apply(scene.data.tallies(scene.policy), scene.data.roster),
        scene.policy,
        by=by,
        roster=scene.data.roster,
        as_of=as_of,
    )
    return scene.data.labels.add(frame)


def keys_of(view: View) -> str:
    """What is told apart over time: everyone together, one sender, or one sequence of one."""
    return "user,sequence" if view.sequence else "user" if view.user else ""


def rows_by(view: View) -> str:
    """What the rows of a view are: senders, or the sequences of one."""
    return "user,sequence" if view.user else "user"


def on_page(scene: Scene, view: View) -> pl.DataFrame:
    """Scores of the rows on the page that is shown."""
    frame = scored(scene, rows_by(view))
    chosen = page_ids(scene, view)
    if chosen is None:
        return frame
    return frame.filter(pl.col("sequence_id" if view.user else "user_id").is_in(chosen))


def page_ids(scene: Scene, view: View) -> list[str] | None:
    """Ids of the rows on the page that is shown; None where one page holds them all."""
    group = rows_shown(scene, view)
    order = sorted_places(scene.scored(group), labels_of(scene.data, group), view)
    if len(order) <= PAGE:
        return None
    page = min(view.page, (len(order) - 1) // PAGE)
    return sorted(group.ids[i] for i in order[page * PAGE : (page + 1) * PAGE])


def over_weeks(scene: Scene, view: View, keys: str) -> pl.DataFrame:
    """Scores of each week, each over as many weeks as the view says, labelled.

    More than one week reach back before the selection, whose first day then says which weeks are
    shown and not what they count.
    """
    tallies, chosen = scene.data.tallies(scene.policy), scene.selection
    by = f"{keys},week" if keys else "week"
    if view.weeks > 1:
        # Windows are made of everybody's weeks, so that a late starter has the same ones.
        tallies = trailing(Selection(end=chosen.end).apply(tallies), view.weeks)
        chosen = chosen.model_copy(update={"start": first_monday(chosen), "end": None})
    tallies = chosen.apply(tallies, scene.data.roster)
    frame = score(tallies, scene.policy, by=by, roster=scene.data.roster)
    return scene.data.labels.add(frame)


def first_monday(selection: Selection) -> dt.date | None:
    """The Monday of the week that a selection starts in."""
    start = selection.start
    return start - dt.timedelta(days=start.weekday()) if start else None


def _heatmaps(scene: Scene, view: View) -> list[Picture]:
    unbrushed = Scene.seen(scene.data, view.updated(brush_start=None, brush_end=None))
    by = rows_by(view)
    weeks = _largest(over_weeks(unbrushed, view, by), view)
    title = _title(unbrushed, view)
    found = [Picture(f"{title}, by week", charts.heatmap_weeks(weeks, scene.policy), weeks)]
    if not view.user:
        pairs = _largest(scored(scene, "user,sequence"), view)
        chart = charts.heatmap_sequences(pairs, scene.policy)
        found.append(Picture(f"{_title(scene, view)}, by sequence", chart, pairs))
    return found


def _largest(frame: pl.DataFrame, view: View) -> pl.DataFrame:
    """The rows of the senders (or sequences) that ended the most, as many as a page can show."""
    key = "sequence_id" if view.user else "user_id"
    if frame[key].n_unique() <= MOST_CELLS:
        return frame
    sizes = frame.group_by(key).agg(pl.col("ended").sum()).sort("ended", key, descending=True)
    return frame.filter(pl.col(key).is_in(sizes[key].head(MOST_CELLS).to_list()))


def _compared(scene: Scene, view: View) -> list[Picture]:
    sides = sides_of(scene, view)
    found = []
    for side in (sides.here, sides.there):
        frame = scored(side, keys_of(view))
        if frame["ended"].sum():
            chart = charts.gauge(frame, side.policy)
            found.append(Picture(_title(side, view), chart, frame))
    return found


def _title(scene: Scene, view: View) -> str:
    chosen: Selection = scene.selection
    names = [scene.data.user_labels.get(view.user, view.user)] if view.user else ["All senders"]
    if not view.user and (chosen.users or chosen.teams):
        names = [", ".join(chosen.teams) or f"{len(chosen.users)} users"]
    if view.sequence:
        names.append(scene.data.sequence_labels.get(view.sequence, view.sequence))
    return f"{' › '.join(names)}, {days_of(scene)}"
