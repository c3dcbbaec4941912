"""A line of a crontab."""

from __future__ import annotations

import shlex

from senderscore_nb.errors import PlanError
from senderscore_nb.schedule.units.target import Target

MOST_BYTES = 998
"""The longest command that cron takes; it cuts what is longer without a word."""

_HEAD = """\
# Sender score reports: makes what is due, and does nothing else.
# Put it into your crontab (crontab -e), or: (crontab -l; senderscore schedule cron) | crontab -
# What the runs said is in the file after ">>".
"""

_SECRETS = """\
# Secrets: cron knows none of your variables. A file that only you can read is read before each run:
"""


def cron_files(target: Target) -> dict[str, str]:
    """The line for the user's own crontab, with a head of comments.

    Raises:
        PlanError: The command is longer than cron takes.
    """
    command = " ".join(map(quoted, (str(target.program), *target.arguments)))
    head = _HEAD
    if target.secrets:
        head += _SECRETS + target.how_secrets
        command = f'{{ set -a && . "$HOME/{target.secrets_file}" && set +a && {command}; }}'
    log = target.plan.with_name(f"{target.plan.name}.log")
    command += f" >>{quoted(str(log))} 2>&1"
    if len(command.encode()) > MOST_BYTES:
        raise PlanError(
            f"The command is longer than cron takes ({len(command.encode())} of {MOST_BYTES} "
            "bytes).",
            where=str(target.plan),
            hint="Move the project to a shorter path, or use systemd.",
        )
    return {f"{target.name}.cron": f"{head}{_minutes(target.minutes)} * * * * {command}\n"}


def quoted(text: str) -> str:
    r"""A text as one word for the shell that cron starts, whichever cron it is.

    Cron takes a `%` for a line break unless a backslash is before it. Some crons take the backslash
    out of `\\` too, and some count it as the one before a `%`; so behind a backslash of the text
    the quotation is ended and begun anew, and each backslash stands alone.

    >>> print(quoted("/a b/50% of\\%"))
    '/a b/50\% of\''\%'
    """
    return shlex.quote(text).replace("\\", "\\''").replace("%", "\\%")


def _minutes(minutes: int) -> str:
    return {1: "*", 60: "0"}.get(minutes, f"*/{minutes}")
