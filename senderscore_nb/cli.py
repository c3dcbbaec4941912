"""The command line: each command is a few lines over a library function.

Heavy packages are imported inside the commands, so that `--help` answers at once.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from senderscore_nb.errors import SenderScoreError

if TYPE_CHECKING:
    import polars as pl

    from senderscore_nb.account import Account

Command = TypeVar("Command", bound=Callable[..., Any])

FAILED = 1
USAGE = 2


class _Group(click.Group):
    """Prints a user's mistake as one message, without a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except SenderScoreError as error:
            click.echo(f"senderscore: {error}", err=True)
            ctx.exit(USAGE)
        except BrokenPipeError:
            # The reader of our output has gone, as `head` does; there is nobody left to tell.
            sys.stderr.close()
            ctx.exit(FAILED)


def _options(*decorators: Callable[[Any], Any]) -> Callable[[Command], Command]:
    def decorate(command: Command) -> Command:
        return functools.reduce(lambda c, d: d(c), reversed(decorators), command)

    return decorate


_reading = _options(
    click.argument("data", nargs=-1, required=True),
    click.option(
        "--mapping", metavar="NAME|FILE", help="How headers become columns; found unless given."
    ),
    click.option("--timezone", metavar="ZONE", help="The account's time zone, as Europe/Berlin."),
    click.option(
        "--roster",
        metavar="FILE",
        help="Users, teams, paid seats; roster.* in the data folder unless given.",
    ),
)
_policy = click.option(
    "--policy",
    metavar="NAME|FILE",
    default=None,
    help="How to score; hubspot-article unless given.",
)
_selecting = _options(
    click.option("--start", metavar="DAY", help="First day, as 2026-03-01."),
    click.option("--end", metavar="DAY", help="Last day."),
    click.option(
        "--user", "users", multiple=True, metavar="ID", help="Only this user; repeatable."
    ),
    click.option("--team", "teams", multiple=True, help="Only this team; repeatable."),
    click.option(
        "--sequence", "sequences", multiple=True, metavar="ID", help="Only this one; repeatable."
    ),
    click.option(
        "--factor",
        "factors",
        multiple=True,
        metavar="NAME=VALUE",
        help="Only enrollments with this value of a factor; repeatable.",
    ),
)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="senderscore-nb", prog_name="senderscore")
def main() -> None:
    """See, explain and improve the sequences sender score.

    DATA is a file, a folder or a glob of CSV, TSV, XLSX or Parquet exports.
    """


@main.command()
@_reading
@_policy
@_selecting
@click.option("--by", default="user", show_default=True, help="user, team, sequence, day, week, "
              "month, or several with commas.")  # fmt: skip
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "json", "parquet"]),
    help="As the output file's ending says; a table unless given.",
)
@click.option("--output", "-o", metavar="FILE", help="Write to a file instead of the terminal.")
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
    selected["factors"] = _factors(selected["factors"])
    selection = Selection.parse(selected, where="options")
    account = _open(data, mapping, timezone, roster, policy)
    tallies = account.select(selection)
    _warn(account, tallies)
    # The pace is taken up to the newest day of the whole account, also where less is selected.
    known = account.tallies["day"].drop_nulls().sort().to_list()[-1:]
    as_of = min([*known, *([selection.end] if selection.end else [])], default=None)
    scores = compute(tallies, account.policy, by=keys, roster=account.roster, as_of=as_of)
    days = tallies["day"].sort().to_list()
    period = f"{days[0]} to {days[-1]}" if days else "no days"
    note = f"Days {period}; policy {account.policy.label}."
    write_frame(account.labels.add(scores), form or format_of(output), output, note=note)


@main.command()
@_reading
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

    reading = read_enrollments(list(data), mapping=mapping, timezone=timezone, progress=_say)
    click.echo(describe(reading))
    if people := roster or find_roster(list(data)):
        click.echo(f"Roster {people}: {read_roster(people).height} users.")
    if reading.rejected.height:
        path = Path(rejects or _rejects_name(data[0]))
        write_rejects(reading, path)
        click.echo(f"Rejected rows were written to {path}.")
        raise SystemExit(FAILED)


@main.command()
@_reading
@_policy
@click.option("--notebook", default="weekly", show_default=True, metavar="NAME|FILE",
              help="weekly, sender, or a notebook of your own.")  # fmt: skip
@click.option("--week", metavar="WEEK", help="ISO week, as 2026-W46; the last complete one.")
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
    notebook: str,
    output: str,
    name: str | None,
    **chosen: Any,
) -> None:
    """Write a report as one HTML file, and its figures as JSON beside it."""
    from senderscore_nb.progress import cell_progress
    from senderscore_nb.reports import run_report

    parameters: dict[str, Any] = {"data": [_path(item) for item in data]}
    given = {"mapping": mapping, "timezone": timezone, "roster": roster, "policy": policy, **chosen}
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


@main.command()
@_reading
@_policy
@click.option("--port", default=8866, show_default=True, type=click.IntRange(0, 65535),
              help="Port on this machine; the next free one if it is taken.")  # fmt: skip
@click.option("--theme", type=click.Choice(["light", "dark"]), default="light", show_default=True)
@click.option("--browser/--no-browser", default=True, help="Open it in a browser, or not.")
def app(data: Sequence[str], policy: str | None, **options: Any) -> None:
    """Serve the explorer on this machine, for those who do not open notebooks."""
    from senderscore_nb.explorer.app import serve
    from senderscore_nb.policy import DEFAULT_POLICY

    given = {key: value for key, value in options.items() if value is not None}
    serve(data, say=click.echo, policy=policy or DEFAULT_POLICY, **given)


@main.group()
def policy() -> None:
    """List and show scoring policies."""


@policy.command("list")
def policy_list() -> None:
    """The policies that come with the package."""
    from senderscore_nb.policy import load_policy, preset_names

    for name in preset_names():
        click.echo(f"{name}\t{load_policy(name).label}")


@policy.command("show")
@click.argument("name", default="hubspot-article")
def policy_show(name: str) -> None:
    """A policy as TOML, to start your own from."""
    from senderscore_nb.policy import load_policy

    click.echo(load_policy(name).to_toml(), nl=False)


def _open(
    data: Sequence[str],
    mapping: str | None,
    timezone: str | None,
    roster: str | None,
    policy_name: str | None,
) -> Account:
    from senderscore_nb.account import open_account
    from senderscore_nb.policy import DEFAULT_POLICY

    return open_account(
        list(data),
        mapping=mapping,
        timezone=timezone,
        roster=roster,
        policy=policy_name or DEFAULT_POLICY,
        progress=_say,
    )


def _warn(account: Account, tallies: pl.DataFrame) -> None:
    rejected = account.reading.rejected.height
    if rejected:
        click.echo(
            f"{rejected} of {account.reading.read} rows were rejected; "
            "`senderscore check` says why.",
            err=True,
        )
    if tallies.is_empty():
        days = account.tallies["day"].sort()
        held = f"{days[0]} to {days[-1]}" if len(days) else "nothing that has ended"
        click.echo(f"Nothing is left under these options; the data holds {held}.", err=True)


def _rejects_name(item: str) -> str:
    """`export.rejected.csv` for `export.csv.gz`; a folder and a glob have a name as well."""
    name = Path(item).absolute().name
    stem = Path(name.removesuffix(".gz")).stem.replace("*", "").replace("?", "").strip(".")
    return f"{stem or 'data'}.rejected.csv"


def _say(line: str) -> None:
    if sys.stderr.isatty():
        click.echo(line, err=True)


def _factors(pairs: Sequence[str]) -> dict[str, list[str]]:
    factors: dict[str, list[str]] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise SenderScoreError(f"--factor {pair}: expected NAME=VALUE, as segment=smb.")
        factors.setdefault(name, []).append(value)
    return factors


def _path(item: str) -> str:
    """Notebooks may run elsewhere, so they get whole paths; globs and ~ stay as they are."""
    return str(Path(item).expanduser().absolute())
