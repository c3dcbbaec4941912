"""What the commands share: the group that words mistakes, options, exit codes."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import click

from senderscore_nb.errors import SenderScoreError

Command = TypeVar("Command", bound=Callable[..., Any])

FAILED = 1
USAGE = 2


class Group(click.Group):
    """Prints a user's mistake as one message, without a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a mistake becomes its message and exit code 2."""
        try:
            return super().invoke(ctx)
        except SenderScoreError as error:
            click.echo(f"senderscore: {error}", err=True)
            ctx.exit(USAGE)
        except BrokenPipeError:
            # The reader of our output has gone, as `head` does; there is nobody left to tell.
            sys.stderr.close()
            ctx.exit(FAILED)


def options(*decorators: Callable[[Any], Any]) -> Callable[[Command], Command]:
    """Several decorators as one, the first of them outermost."""

    def decorate(command: Command) -> Command:
        return functools.reduce(lambda c, d: d(c), reversed(decorators), command)

    return decorate


exports = options(
    click.argument("data", nargs=-1, required=True),
    click.option(
        "--mapping", metavar="NAME|FILE", help="How headers become columns; found unless given."
    ),
    click.option("--timezone", metavar="ZONE", help="The account's time zone, as Europe/Berlin."),
)
reading = options(
    exports,
    click.option(
        "--roster",
        metavar="FILE",
        help="Users, teams, paid seats; roster.* in the data folder unless given.",
    ),
)
policy_option = click.option(
    "--policy",
    metavar="NAME|FILE",
    default=None,
    help="How to score; hubspot-article unless given.",
)
writing = options(
    click.option(
        "--format",
        "form",
        type=click.Choice(["table", "csv", "json", "parquet"]),
        help="As the output file's ending says; a table unless given.",
    ),
    click.option("--output", "-o", metavar="FILE", help="Write to a file instead of the terminal."),
)
selecting = options(
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


def say(line: str) -> None:
    """A line about the progress, where somebody sits at a terminal."""
    if sys.stderr.isatty():
        click.echo(line, err=True)


@contextmanager
def ending_orderly() -> Iterator[None]:
    """SIGTERM breaks off as Ctrl-C does, so that what is kept on the disk for a while goes."""
    import signal
    import threading

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
