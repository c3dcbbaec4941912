"""Commands over data: score, check, report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from senderscore_nb.cli.base import FAILED, policy_option, reading, say, selecting, writing
from senderscore_nb.errors import SenderScoreError

if TYPE_CHECKING:
    import polars as pl

    from senderscore_nb.account import Account
    from senderscore_nb.sources import Reading


@click.command()
@reading
@policy_option
@selecting
@click.option("--by", default="user", show_default=True, help="user, team, sequence, day, week, "
              "month, or several with commas.")  # fmt: skip
@writing
def score(
    data: Sequence[str],
    mapping: str | None,
    timezone: str | None,
    roster: str | None,
    policy: str | None,
    by: str,
    form: str | None,
    output: str | None,
    **selected: Any,
) -> None:
    """Score senders, teams, sequences or periods."""
    from senderscore_nb.output import format_of, write_frame
    from senderscore_nb.score import parse_by
    from senderscore_nb.score import score as compute
    from senderscore_nb.selection import Selection

    keys = parse_by(by)
    account, tallies = opened(data, mapping, timezone, roster, policy, selected)
    selection = Selection.parse(selected, where="options")
    # The pace is taken up to the newest day of the whole account, also where less is selected.
    known = account.tallies["day"].drop_nulls().sort().to_list()[-1:]
    as_of = min([*known, *([selection.end] if selection.end else [])], default=None)
    scores = compute(tallies, account.policy, by=keys, roster=account.roster, as_of=as_of)
    days = tallies["day"].sort().to_list()
    period = f"{days[0]} to {days[-1]}" if days else "no days"
    note = f"Days {period}; policy {account.policy.label}."
    write_frame(account.labels.add(scores), form or format_of(output), output, note=note)


@click.command()
@reading
@click.option(
    "--rejects",
    metavar="FILE",
    help="Where to write rejected rows; DATA.rejected.csv unless given.",
)
def check(
    data: Sequence[str],
    mapping: str | None,
    timezone: str | None,
    roster: str | None,
    rejects: str | None,
) -> None:
    """Say what is read, mapped and rejected, and why. Exits with 1 if a row is rejected."""
    from senderscore_nb.account import find_roster
    from senderscore_nb.sources import describe, read_enrollments, read_roster, write_rejects
    from senderscore_nb.store import find_tallies, read_tallied

    reading: Reading
    if tallies := find_tallies(list(data)):
        reading = read_tallied(tallies, timezone=timezone)
    else:
        reading = read_enrollments(list(data), mapping=mapping, timezone=timezone, progress=say)
    click.echo(describe(reading))
    if people := roster or find_roster(list(data)):
        click.echo(f"Roster {people}: {read_roster(people).height} users.")
    if reading.rejected.height:
        path = Path(rejects or _rejects_name(data[0]))
        write_rejects(reading, path)
        click.echo(f"Rejected rows were written to {path}.")
        raise SystemExit(FAILED)


@click.command()
@reading
@policy_option
@click.option("--notebook", default="weekly", show_default=True, metavar="NAME|FILE",
              help="weekly, sender, or a notebook of your own.")  # fmt: skip
@click.option("--for", "--week", "period", metavar="PERIOD",
              help="2026-W46, 2026-10 or 2026-11-15; the last complete week.")  # fmt: skip
@click.option("--candidate", metavar="NAME|FILE",
              help="A policy to show beside the one in force: who would move.")  # fmt: skip
@click.option("--weeks", "window_weeks", type=click.IntRange(1, 520), help="Weeks a score covers.")
@click.option("--user", "users", multiple=True, metavar="ID", help="Only this user; repeatable.")
@click.option("--team", "teams", multiple=True, help="Only this team; repeatable.")
@click.option(
    "--sequence", "sequences", multiple=True, metavar="ID", help="Only this one; repeatable."
)
@click.option("--output", "-o", default="out", show_default=True, metavar="FOLDER")
@click.option("--name", help="The files' name, without ending.")
def report(
    data: Sequence[str],
    mapping: str | None,
    timezone: str | None,
    roster: str | None,
    policy: str | None,
    candidate: str | None,
    notebook: str,
    output: str,
    name: str | None,
    **chosen: Any,
) -> None:
    """Write a report as one HTML file, and its figures as JSON beside it."""
    from senderscore_nb.progress import cell_progress
    from senderscore_nb.reports import run_report

    parameters: dict[str, Any] = {"data": [_path(item) for item in data]}
    chosen["policy"], chosen["candidate"] = _policy_path(policy), _policy_path(candidate)
    given = {"mapping": mapping, "timezone": timezone, "roster": roster, **chosen}
    parameters |= {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in given.items()
        if value
    }
    with cell_progress() as progress:
        made = run_report(notebook, parameters, output, name=name, progress=progress)
    click.echo(made.page)
    if made.twin:
        click.echo(made.twin)


def opened(
    data: Sequence[str],
    mapping: str | None,
    timezone: str | None,
    roster: str | None,
    policy: str | None,
    selected: dict[str, Any],
) -> tuple[Account, pl.DataFrame]:
    """The account, and the tallies that the options take; says what was rejected, or is empty."""
    from senderscore_nb.selection import Selection

    selected["factors"] = factors_of(selected["factors"])
    selection = Selection.parse(selected, where="options")
    account = open_data(data, mapping, timezone, roster, policy)
    tallies = account.select(selection)
    _warn(account, tallies)
    return account, tallies


def open_data(
    data: Sequence[str],
    mapping: str | None,
    timezone: str | None,
    roster: str | None,
    policy_name: str | None,
) -> Account:
    """The account of a command's arguments, with its progress on a terminal."""
    from senderscore_nb.account import open_account
    from senderscore_nb.policy import DEFAULT_POLICY

    return open_account(
        list(data),
        mapping=mapping,
        timezone=timezone,
        roster=roster,
        policy=policy_name or DEFAULT_POLICY,
        progress=say,
    )


def _warn(account: Account, tallies: pl.DataFrame) -> None:
    rejected = account.reading.rejected.height
    if rejected:
        click.echo(
            f"{rejected} of {account.reading.read} rows were rejected; "
            "`senderscore check` says why.",
            err=True,
        )
    for remark in account.reading.remarks:
        click.echo(remark, err=True)
    if tallies.is_empty():
        days = account.tallies["day"].sort()
        held = f"{days[0]} to {days[-1]}" if len(days) else "nothing that has ended"
        click.echo(f"Nothing is left under these options; the data holds {held}.", err=True)


def _rejects_name(item: str) -> str:
    """`export.rejected.csv` for `export.csv.gz`; a folder and a glob have a name as well."""
    name = Path(item).absolute().name
    stem = Path(name.removesuffix(".gz")).stem.replace("*", "").replace("?", "").strip(".")
    return f"{stem or 'data'}.rejected.csv"


def factors_of(pairs: Sequence[str]) -> dict[str, list[str]]:
    """Values by factor from the options `--factor NAME=VALUE`.

    Raises:
        SenderScoreError: One has no `=`.
    """
    factors: dict[str, list[str]] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise SenderScoreError(f"--factor {pair}: expected NAME=VALUE, as segment=smb.")
        factors.setdefault(name, []).append(value)
    return factors


def _policy_path(policy: str | None) -> str | None:
    """A policy's file by its whole path; a preset's name as it is."""
    is_file = policy is not None and (policy.endswith(".toml") or Path(policy).is_file())
    return _path(policy) if policy is not None and is_file else policy


def _path(item: str) -> str:
    """Notebooks may run elsewhere, so they get whole paths; globs and ~ stay as they are."""
    return str(Path(item).expanduser().absolute())
