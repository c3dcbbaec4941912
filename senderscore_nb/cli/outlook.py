"""Commands over what to expect: drivers watch, shrinkage, ahead."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from senderscore_nb.cli.base import policy_option, reading, selecting, writing
from senderscore_nb.cli.data import opened

if TYPE_CHECKING:
    import datetime as dt

    import polars as pl

    from senderscore_nb.account import Account

_READING = ("data", "mapping", "timezone", "roster", "policy")


@click.command()
@reading
@policy_option
@selecting
@click.option("--by", default="user", show_default=True, help="user, team, sequence, everyone, "
              "or several with commas.")  # fmt: skip
@click.option("--since", metavar="DAY", help="When the watch begins; the ISO year's first week, "
              "or after 26 weeks of data, unless given.")  # fmt: skip
@click.option("--all-weeks", is_flag=True, help="Every week, not only the newest; as csv and "
              "json always are.")  # fmt: skip
@writing
def watch(
    by: str, since: str | None, all_weeks: bool, form: str | None, output: str | None, **given: Any
) -> None:
    """Say which weekly rates are out of line, and which are no longer what they were."""
    from senderscore_nb.drivers.outlook_words import newest_weeks, watch_words
    from senderscore_nb.drivers.watch import watch as compute
    from senderscore_nb.output import format_of

    begin = _day(since, "--since")
    account, tallies = _opened(given)
    seen = account.labels.add(
        compute(tallies, account.policy, by=by, roster=account.roster, since=begin)
    )
    form = form or format_of(output)
    shown = newest_weeks(seen) if form == "table" and not all_weeks else seen
    columns = (
        *("week", "rate", "centre", "low", "high", "rules", "so_far_low", "so_far_high"),
        *("evidence", "alarm", "changed_on"),
    )
    _write(shown, columns, form, output, words=watch_words(seen), account=account)


@click.command()
@reading
@policy_option
@selecting
@writing
def shrinkage(form: str | None, output: str | None, **given: Any) -> None:
    """Show rates and scores of small senders with the strength of their team and account."""
    from senderscore_nb.drivers.outlook_words import shrinkage_words
    from senderscore_nb.drivers.shrinkage import shrinkage as compute
    from senderscore_nb.output import format_of

    account, tallies = _opened(given)
    rows = account.labels.add(compute(tallies, account.policy, roster=account.roster))
    columns = (
        *("team", "ended", "reply_rate", "reply_rate_shrunk", "reply_rate_weight"),
        *("bounce_rate", "bounce_rate_shrunk", "bounce_rate_weight"),
        *("score", "score_shrunk", "verdict_shrunk"),
    )
    words = shrinkage_words(rows)
    _write(rows, columns, form or format_of(output), output, words=words, account=account)


@click.command()
@reading
@policy_option
@selecting
@click.option("--weeks", type=click.IntRange(1, 52), default=12, show_default=True,
              help="How many weeks to look ahead.")  # fmt: skip
@click.option("--window-weeks", type=click.IntRange(1, 520), default=12, show_default=True,
              help="Weeks a score covers.")  # fmt: skip
@click.option("--points", type=click.FloatRange(0, min_open=True), default=5.0, show_default=True,
              help="The difference to tell.")  # fmt: skip
@writing
def ahead(
    weeks: int,
    window_weeks: int,
    points: float,
    form: str | None,
    output: str | None,
    **given: Any,
) -> None:
    """Say when senders will have a score, and reach the next band if nothing changes."""
    from senderscore_nb.drivers import Outlook, sample_size_for
    from senderscore_nb.drivers import ahead as compute
    from senderscore_nb.drivers.outlook_words import ahead_words, tell_words
    from senderscore_nb.output import format_of

    account, tallies = _opened(given)
    rows = compute(
        tallies,
        account.policy,
        roster=account.roster,
        enrollments=_runs(account, given),
        as_of=_newest(account, given),
        window_days=7 * window_weeks,
        outlook=Outlook(weeks=weeks, points=points),
    )
    rows = account.labels.add(rows)
    columns = (
        *("ended", "status", "pace", "ready_on", "ready_low", "ready_high"),
        *("score", "next_band", "p_truth", "p_next", "next_on", "weeks_to_tell"),
    )
    telling = tell_words(sample_size_for(points, account.policy))
    words = f"{ahead_words(rows, weeks=weeks)} {telling}"
    _write(rows, columns, form or format_of(output), output, words=words, account=account)


def _opened(given: dict[str, Any]) -> tuple[Account, pl.DataFrame]:
    """The account, and the tallies that are selected."""
    selected = {name: value for name, value in given.items() if name not in _READING}
    return opened(
        given["data"],
        given["mapping"],
        given["timezone"],
        given["roster"],
        given["policy"],
        selected,
    )


def _newest(account: Account, given: dict[str, Any]) -> dt.date | None:
    """The newest day of the whole account, also where less is selected."""
    newest = account.tallies["day"].drop_nulls().sort().to_list()[-1:]
    end = _day(given["end"], "--end")
    return min([*newest, *([end] if end else [])], default=None)


def _runs(account: Account, given: dict[str, Any]) -> pl.DataFrame | None:
    """The enrollments, where no selection takes only some of their days or factors."""
    rows = account.enrollments
    if given["start"] or given["factors"] or rows is None or rows.is_empty():
        return None
    from senderscore_nb.selection import Selection

    chosen = Selection.parse({name: given[name] for name in ("users", "teams", "sequences")})
    return chosen.apply(rows.with_columns(day="enrolled_on"), account.roster).drop("day")


def _day(text: str | None, option: str) -> dt.date | None:
    import datetime as dt

    from senderscore_nb.errors import SelectionError

    if not text:
        return None
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise SelectionError(
            f"{text!r} is not a day of the form YYYY-MM-DD.", where=option
        ) from None


def _write(
    rows: pl.DataFrame,
    columns: Sequence[str],
    form: str,
    output: str | None,
    *,
    words: str,
    account: Account,
) -> None:
    from senderscore_nb.output import write_frame

    keys = [c for c in ("user_id", "user_label", "team", "sequence_id", "sequence_label", "measure")
            if c in rows.columns and c not in columns]  # fmt: skip
    note = f"Policy {account.policy.label}."
    if form == "table":
        short = {name: name.replace("_rate_", "_") for name in rows.columns}
        rows = rows.select(*keys, *columns).rename(short, strict=False)
    write_frame(rows, form, output, note=note, lead=words, columns=rows.columns)
    if form != "table":
        click.echo(words, err=True)
