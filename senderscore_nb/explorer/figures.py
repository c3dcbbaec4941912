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
from senderscore_nb.drivers import steps, story
from senderscore_nb.errors import SelectionError
from senderscore_nb.explorer.comparing import sides_of, words_of_side
from senderscore_nb.explorer.data import Data
from senderscore_nb.explorer.frames import PAGE, rows_shown
from senderscore_nb.explorer.rows import days_of, labels_of, sorted_places
from senderscore_nb.explorer.scene import Scene
from senderscore_nb.explorer.state import View
from senderscore_nb.explorer.why import MOST_STEPS, OTHER_POLICY, explained, split_of
from senderscore_nb.score import score
from senderscore_nb.selection import Selection
from senderscore_nb.sums import trailing

MOST_CELLS = 40
"""Rows of a heatmap that leaves the explorer."""


@dataclass(frozen=True)
class Picture:
    """A chart, what stands above it, and the scored frames that it was made from.

    Attributes:
        title: Says of what, and how many of how many rows where not all are drawn.
        chart: The chart.
        frame: What is drawn.
        rows: The same with the rows that there was no room for.
        said: What it shows, in sentences.
    """

    title: str
    chart: Any
    frame: pl.DataFrame
    rows: pl.DataFrame
    said: tuple[str, ...] = ()


def pictures(data: Data, view: View) -> list[Picture]:
    """The charts of a view's panel; none where its filters leave nothing.

    Raises:
        SenderScoreError: The view cannot be shown, or its days are too few for its weeks.
    """
    scene = Scene.seen(data, view)
    if not scene.enrollments:
        return []
    if view.panel == "heatmaps":
        return _heatmaps(scene, view)
    if view.panel == "compare":
        return _compared(scene, view)
    if view.panel == "why":
        return _explained(scene, view)
    if view.panel == "trend" or view.sequence:
        _require_weeks(scene, view)
        frame = over_weeks(scene, view, keys_of(view))
        return [Picture(_title(scene, view), charts.trend(frame, scene.policy), frame, frame)]
    rows = scored(scene, rows_by(view))
    frame, title = _on_page(rows, scene, view), _title(scene, view)
    if frame.height < rows.height:
        first = min(view.page, (rows.height - 1) // PAGE) * PAGE
        what = "sequences" if view.user else "senders"
        title += f", {first + 1}–{first + frame.height} of {rows.height} {what}"
    draw = charts.ranking if view.panel == "table" else charts.gauge_wall
    return [Picture(title, draw(frame, scene.policy), frame, rows)]


def _require_weeks(scene: Scene, view: View) -> None:
    short = scene.too_short(view.weeks)
    if short:
        raise SelectionError(short["words"], hint=f"{short['offer']} instead.")


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


def _on_page(frame: pl.DataFrame, scene: Scene, view: View) -> pl.DataFrame:
    """The rows on the page that is shown."""
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
    _require_weeks(unbrushed, view)
    weeks = over_weeks(unbrushed, view, rows_by(view))
    drawn, said = _largest(weeks, view)
    title = f"{_title(unbrushed, view)}, by week{said}"
    found = [Picture(title, charts.heatmap_weeks(drawn, scene.policy), drawn, weeks)]
    if not view.user:
        pairs = scored(scene, "user,sequence")
        drawn, said = _largest(pairs, view)
        title = f"{_title(scene, view)}, by sequence{said}"
        chart = charts.heatmap_sequences(drawn, scene.policy)
        found.append(Picture(title, chart, drawn, pairs))
    return found


def _largest(frame: pl.DataFrame, view: View) -> tuple[pl.DataFrame, str]:
    """The rows of the senders (or sequences) that ended the most, as many as a page can show.

    Returns:
        The rows, and words that say how many of how many they are of; none where they are all.
    """
    key = "sequence_id" if view.user else "user_id"
    there = frame[key].n_unique()
    if there <= MOST_CELLS:
        return frame, ""
    sizes = frame.group_by(key).agg(pl.col("ended").sum()).sort("ended", key, descending=True)
    what = "sequences" if view.user else "senders"
    said = f", the {MOST_CELLS} of {there} {what} with the most enrollments"
    return frame.filter(pl.col(key).is_in(sizes[key].head(MOST_CELLS).to_list())), said


def _compared(scene: Scene, view: View) -> list[Picture]:
    sides = sides_of(scene, view)
    found = []
    for side in (sides.here, sides.there):
        frame = scored(side, keys_of(view))
        if frame["ended"].sum():
            chart = charts.gauge(frame, side.policy)
            found.append(Picture(_title(side, view), chart, frame, frame))
    return found


def _explained(scene: Scene, view: View) -> list[Picture]:
    sides, data = sides_of(scene, view), scene.data
    why = explained(sides, split_of(view))
    if why is None:
        raise SelectionError(OTHER_POLICY)
    drawn = steps(why, labels=data.labels, most=MOST_STEPS)
    parts = data.labels.add(why.parts)
    title = f"{_title(sides.here, view)}, against {words_of_side(sides.there)}"
    said = tuple(story(why, labels=data.labels))
    return [Picture(title, charts.waterfall(drawn, scene.policy), parts, parts, said)]


def _title(scene: Scene, view: View) -> str:
    chosen: Selection = scene.selection
    names = [scene.data.user_labels.get(view.user, view.user)] if view.user else ["All senders"]
    if not view.user and (chosen.users or chosen.teams):
        names = [", ".join(chosen.teams) or f"{len(chosen.users)} users"]
    if view.sequence:
        names.append(scene.data.sequence_labels.get(view.sequence, view.sequence))
    return f"{' › '.join(names)}, {days_of(scene)}"
