"""Commands about why the score moved, and what would move it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from senderscore_nb.cli.base import Group, policy_option, reading, writing
from senderscore_nb.cli.data import open_data

if TYPE_CHECKING:
    from senderscore_nb.drivers import Explanation
    from senderscore_nb.labels import Labels


@click.group(cls=Group)
def drivers() -> None:
    """Why the score moved, and what would move it."""


@drivers.command()
@reading
@policy_option
@click.option("--before", metavar="PERIOD", help="2026-W34, 2026-08, or 2026-W23..2026-W34; as "
              "long as the other and next to it unless given.")  # fmt: skip
@click.option("--after", metavar="PERIOD", help="The last complete weeks unless given.")
@click.option("--weeks", type=click.IntRange(1, 520), default=12, show_default=True,
              help="How many weeks that is.")  # fmt: skip
@click.option("--user", "users", multiple=True, metavar="ID", help="Only this user; repeatable.")
@click.option("--team", "teams", multiple=True, help="Only this team; repeatable.")
@click.option(
    "--sequence", "sequences", multiple=True, metavar="ID", help="Only this one; repeatable."
)
@click.option("--by", default="sequence", show_default=True,
              help="What the change is split by: sequence, user or team.")  # fmt: skip
@click.option("--within", default="", help="A change for each user or team; one of all if empty.")
@writing
def change(
    data: Sequence[str],
    mapping: str | None,
    timezone: str | None,
    roster: str | None,
    policy: str | None,
    before: str | None,
    after: str | None,
    weeks: int,
    by: str,
    within: str,
    form: str | None,
    output: str | None,
    **selected: Any,
) -> None:
    """Split a change of score into mix, reply rates and bounce rates."""
    from senderscore_nb.drivers import explain_change
    from senderscore_nb.drivers.explain_windows import windows
    from senderscore_nb.output import format_of, write_frame, write_texts
    from senderscore_nb.selection import Selection

    account = open_data(data, mapping, timezone, roster, policy)
    tallies = account.select(Selection.parse(selected, where="options"))
    earlier, later = windows(account.tallies, before=before or "", after=after or "", weeks=weeks)
    why = explain_change(
        tallies,
        account.policy,
        before=earlier,
        after=later,
        by=by,
        within=within,
        roster=account.roster,
    )
    form = form or format_of(output)
    if form != "table":
        write_frame(account.labels.add(why.parts), form, output)
        return
    period = f"{earlier.start} to {earlier.end} before, {later.start} to {later.end} after"
    above = [f"Days {period}; policy {account.policy.label}.", ""]
    rows: list[dict[str, str]] = []
    for who, one in _each(why, account.labels):
        above += [*_told(who, one, account.labels), ""]
        rows += _rows(who, one, account.labels)
    write_texts(rows, output, above=above)


def _each(why: Explanation, labels: Labels) -> Iterator[tuple[str, Explanation]]:
    """Each change with whose it is; nothing where there is one of all."""
    for row in labels.add(why.changes).iter_rows(named=True):
        keys = {name: row[name] for name in why.within}
        who = " · ".join(
            str(row.get(f"{name.removesuffix('_id')}_label") or value or "(none)")
            for name, value in keys.items()
        )
        yield who, why.of(**keys)


def _told(who: str, why: Explanation, labels: Labels) -> list[str]:
    from senderscore_nb.drivers import story

    return story(why, labels=labels, who=f"{who}: the score" if who else "The score")


def _rows(who: str, why: Explanation, labels: Labels) -> list[dict[str, str]]:
    from senderscore_nb.drivers import steps

    rows = []
    for step in steps(why, labels=labels, most=12).iter_rows(named=True):
        part, certain = step["part"], step["certain"]
        interval = f"{step['part_low'] or 0:+.1f} to {step['part_high'] or 0:+.1f}"
        sure = {True: "more than noise", False: "noise", None: ""}[certain]
        rows.append(
            {
                **({"whose": who} if who else {}),
                "part": step["label"],
                "points": "" if part is None else f"{part:+.1f}",
                "interval": "" if certain is None else interval,
                "is it noise?": sure,
                "score": f"{step['end']:.1f}",
            }
        )
    return rows
