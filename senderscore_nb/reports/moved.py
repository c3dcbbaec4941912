"""Why a score moved, as the reports tell it: words, the steps, the table and the figures."""

from __future__ import annotations

from typing import Any

import polars as pl

from senderscore_nb import charts
from senderscore_nb.change import Window
from senderscore_nb.drivers.explain import Explanation
from senderscore_nb.drivers.explain_steps import named, steps
from senderscore_nb.drivers.explain_words import story
from senderscore_nb.labels import Labels
from senderscore_nb.policy import ScoringPolicy
from senderscore_nb.reports.blocks import Column, Figure, Table, day, percent, signed
from senderscore_nb.reports.words import listed, plural

MOST_TOLD = 6
"""Senders whose story the weekly report tells; the others are named."""

_NARROW = {"width": 96, "names": 166}
_WHAT = {"mix": "Mix", "reply_rate": "Reply rate", "bounce_rate": "Bounce rate"}


def since_before(window: Window) -> str:
    """What the scores are compared with."""
    return (
        f"Compared with the {plural(window.days // 7, 'week')} before "
        f"({day(window.start)} to {day(window.end)})."
    )


def why_moved(everyone: Explanation, senders: Explanation, labels: Labels, who: str) -> list[str]:
    """The story of all together, and of senders of whom more than noise is known to have moved.

    That is their score, or the mix, the reply rates or the bounce rates alone.
    """
    lines = [" ".join(story(everyone, labels=labels, who=who))]
    sure = senders.kinds.filter(pl.col("certain"))["user_id"].unique()
    moved = labels.add(
        senders.changes.filter(pl.col("certain") | pl.col("user_id").is_in(sure.to_list())).sort(
            pl.col("certain"), pl.col("change").abs(), descending=True
        )
    )
    for row in moved.head(MOST_TOLD).iter_rows(named=True):
        one = senders.of(user_id=row["user_id"])
        lines.append(" ".join(story(one, labels=labels, who=row["user_label"], noise=False)))
    if rest := moved["user_label"].to_list()[MOST_TOLD:]:
        lines.append(f"By more than noise moved also {listed(rest)}.")
    known = senders.changes["change"].drop_nulls().len()
    if known and moved.is_empty():
        lines.append(f"Of {plural(known, 'sender')} compared, none moved by more than noise.")
    return lines


def moved_figure(why: Explanation, policy: ScoringPolicy, labels: Labels) -> Figure:
    """The steps from the score before to the score now, with the table of all parts."""
    drawn = steps(why, labels=labels)
    chart = charts.with_narrow(
        charts.waterfall(drawn, policy), charts.waterfall(drawn, policy, **_NARROW)
    )
    caption = (
        "From the score before to the score now. A mix part is a share that grew or shrank, of "
        "what is better or worse than the average; whiskers are 95 % intervals."
    )
    return Figure(chart, caption, _table(why, labels))


def _table(why: Explanation, labels: Labels) -> Table:
    kind = pl.col("kind").cast(pl.String)

    def of_kind(end: str) -> pl.Expr:
        return (
            pl.when(kind == "mix")
            .then(f"share{end}")
            .when(kind == "reply_rate")
            .then(f"reply_rate{end}")
            .otherwise(f"bounce_rate{end}")
        )

    said = pl.when("certain").then(pl.lit("more than noise")).otherwise(pl.lit("within noise"))
    rows = named(why, labels).with_columns(
        what=kind.replace_strict(_WHAT), said=said, earlier=of_kind("_before"), now=of_kind("")
    )
    columns = [
        Column("name", "Sequence"),
        Column("what", "What"),
        Column("part", "Points", signed, interval=True),
        Column("said", "Is it noise?"),
        Column("earlier", "Share or rate before", percent),
        Column("now", "Now", percent),
    ]
    ranked = rows.sort(pl.col("part").abs(), descending=True)
    return Table(ranked, columns, "What moved the score, in points", empty="Nothing to compare.")


def explained_facts(why: Explanation, labels: Labels, *, sure: bool = False) -> dict[str, Any]:
    """The explanation as data; with `sure`, only the parts that are more than noise."""
    parts = why.parts.filter(pl.col("certain")) if sure else why.parts
    return {"changes": labels.add(why.changes), "kinds": why.kinds, "parts": labels.add(parts)}
