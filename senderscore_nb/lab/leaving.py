"""What leaves the lab: code, and the picture that a saved notebook keeps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
from markupsafe import Markup

from senderscore_nb import charts
from senderscore_nb.charts import words
from senderscore_nb.errors import SenderScoreError
from senderscore_nb.explorer.code import code_of
from senderscore_nb.explorer.state import View
from senderscore_nb.lab.frames import Bench
from senderscore_nb.lab.moves import Moves
from senderscore_nb.lab.problems import Problem
from senderscore_nb.lab.state import Trial
from senderscore_nb.policy import PointCurve, ScoringPolicy
from senderscore_nb.reports.blocks import count, percent
from senderscore_nb.reports.pictures import data_uri, static_svg
from senderscore_nb.score import score
from senderscore_nb.widget.kept import boxed

MOST_SENDERS = 24
"""Senders in the picture: those that move most."""

TITLE = "Threshold lab: the last view"
_NAME = "draft"


def code_of_draft(bench: Bench, trial: Trial) -> str:
    """The cell that makes the draft and ranks the senders with it.

    Raises:
        PolicyError: The draft is no policy.
    """
    policy = bench.named(trial)
    data = replace(bench.data, policies={**bench.data.policies, _NAME: policy})
    window = bench.window(policy, trial.weeks)
    view = View(selection=window.selection, policy=_NAME, panel="table")
    return code_of(data, view)


def picture_html(bench: Bench, trial: Trial, scored: Trial, mark: str) -> str:
    """The trial as static tables and a chart, for a notebook that is read without a kernel.

    Args:
        bench: What is scored.
        trial: What is shown.
        scored: What is scored, where the draft shown is no policy.
        mark: Names the widget that hides it where it is alive.
    """
    try:
        inside = _picture(bench, trial, scored)
    except SenderScoreError as error:
        inside = Markup("<p>{}</p>").format(str(error))
    return boxed(mark, TITLE, inside)


def _picture(bench: Bench, trial: Trial, scored: Trial) -> Markup:
    policy, against = scored.draft.policy(), bench.data.policy(trial.against)
    before, after = bench.stand(against, trial.weeks), bench.stand(policy, trial.weeks)
    window = bench.window(policy, trial.weeks)
    held = window.held | bench.window(against, trial.weeks).held
    moves = Moves.of(before, after, held)
    parts = [
        Markup("<p>{} ended enrollments, {}. In force: {}. Draft: {}.</p>").format(
            count(window.enrollments), window.days, against.label, bench.named(scored).label
        ),
        _problems(trial.draft.problems),
        _table("The draft's points", ["Curve", "Knots"], [
            ["Replies", _knots(policy.reply_points)], ["Bounces", _knots(policy.bounce_points)],
        ]),
        _table("How the bands fill", ["Band", "From", "Senders"], [
            [band.name, f"{band.lower:g}", n]
            for band, n in zip(policy.bands, moves.fill[1], strict=True)
        ]),
        _matrix(moves, against, policy),
        Markup("<p>{} of {} scored senders change band. Mean chance that a band flips between two "
               "periods alike: {}, in force {}.</p>").format(
            int(moves.moved.sum()), int(np.isfinite(after.flips).sum()),
            *(percent(_mean(side.flips)) for side in (after, before)),
        ),
    ]  # fmt: skip
    order = np.lexsort((-np.nan_to_num(np.abs(moves.points)), ~moves.moved))
    shown = [i for i in order if held[i]][:MOST_SENDERS]
    if shown:
        parts.append(_chart(bench, scored, [window.ids[i] for i in shown]))
    return Markup("").join(parts)


def _chart(bench: Bench, trial: Trial, ids: Sequence[str]) -> Markup:
    policy = bench.named(trial)
    data, window = bench.data, bench.window(policy, trial.weeks)
    tallies = window.selection.apply(data.tallies(policy), data.roster)
    frame = data.labels.add(score(tallies, policy, by="user", roster=data.roster))
    chart = charts.ranking(frame.filter(pl.col("user_id").is_in(ids)), policy)
    spec = chart.to_dict()
    svg = static_svg({k: v for k, v in spec.items() if k != "config"})
    title = "Scores under the draft"
    if len(ids) < int(window.held.sum()):
        title += f": the {len(ids)} senders that move most"
    return Markup('<figure><figcaption>{}</figcaption><img alt="{}" src="{}"></figure>').format(
        title, str(spec.get("description", title)), data_uri(svg)
    )


def _problems(problems: Sequence[Problem]) -> Markup:
    if not problems:
        return Markup("")
    said = Markup(" ").join(problem.words for problem in problems)
    return Markup(
        "<p>The draft on screen was not a policy, so this is the last one that was: {}</p>"
    ).format(said)


def _knots(curve: PointCurve) -> str:
    knots = ", ".join(f"{100 * rate:g} % → {points:g}" for rate, points in curve.knots)
    return f"{knots} ({curve.interpolation})"


def _matrix(moves: Moves, before: ScoringPolicy, after: ScoringPolicy) -> Markup:
    rows, columns = ([*words.band_labels(policy), "No score"] for policy in (before, after))
    body = [[name, *line] for name, line in zip(rows, moves.matrix.tolist(), strict=True)]
    return _table("Bands in force (rows) by bands of the draft", ["", *columns], body)


def _table(caption: str, heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> Markup:
    head = Markup("").join(Markup('<th scope="col">{}</th>').format(h) for h in heads)
    body = Markup("").join(
        Markup("<tr>{}</tr>").format(Markup("").join(Markup("<td>{}</td>").format(v) for v in row))
        for row in rows
    )
    return Markup(
        "<table><caption>{}</caption><thead><tr>{}</tr></thead><tbody>{}</tbody></table>"
    ).format(caption, head, body)


def _mean(flips: Any) -> float | None:
    known = flips[np.isfinite(flips)]
    return float(known.mean()) if len(known) else None
