"""The command that pulls e-mails, owners and sequences from HubSpot's API."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from senderscore_nb.errors import PullError

if TYPE_CHECKING:
    from pydantic import SecretStr

_VARIABLE = "HUBSPOT_TOKEN"


@click.command()
@click.argument("folder")
@click.option("--token-env", metavar="NAME",
              help=f"Environment variable with the token; {_VARIABLE} unless given.")  # fmt: skip
@click.option("--token-keyring", metavar="SERVICE/USER", help="The token's entry in the keyring.")
@click.option("--token-file", metavar="FILE", help="A file with the token, for its owner alone.")
@click.option("--since", metavar="DAY",
              help="Only mails modified since, as 2026-01-31 (UTC).")  # fmt: skip
@click.option("--full", is_flag=True,
              help="Everything once more, in place of what is there.")  # fmt: skip
@click.option("--with-text", is_flag=True, help="Keep subjects and texts of all mails.")
@click.option("--overlap-minutes", type=click.FloatRange(0, 100_000), default=60, metavar="N",
              help="So long before the end of the last pull is looked at again; 60.")  # fmt: skip
@click.option("--searches-per-second", type=click.FloatRange(0.01, 1000), metavar="N",
              help="How fast; 4, of about 5 that the account has.")  # fmt: skip
@click.option("--base-url", metavar="URL", help="Another address of the API, as a proxy's.")
@click.option("--quiet", "-q", is_flag=True, help="Say nothing unless something is wrong.")
def pull(
    folder: str,
    token_env: str | None,
    token_keyring: str | None,
    token_file: str | None,
    since: str | None,
    full: bool,
    with_text: bool,
    overlap_minutes: float,
    quiet: bool,
    **api: Any,
) -> None:
    """Pull e-mails, owners and sequences from HubSpot's API into FOLDER.

    The first pull takes everything, later ones what was modified since. One that was broken off is
    gone on with by the next. `senderscore reconstruct FOLDER/emails` makes enrollments of it.
    """
    from senderscore_nb.progress import pull_progress
    from senderscore_nb.sources.hubspot import ApiSettings, describe_pull, pull_hubspot

    token = _token({"env": token_env, "keyring": token_keyring, "file": token_file})
    settings = ApiSettings(**{name: value for name, value in api.items() if value is not None})
    with pull_progress(quiet=quiet) as watch:
        pulled = pull_hubspot(
            folder,
            token,
            since=_day(since),
            full=full,
            with_text=with_text,
            overlap=dt.timedelta(minutes=overlap_minutes),
            settings=settings,
            watch=watch,
        )
    if quiet:
        click.echo("".join(f"{note}\n" for note in pulled.notes), err=True, nl=False)
    else:
        click.echo(describe_pull(pulled))


def _token(places: dict[str, str | None]) -> SecretStr:
    from pydantic import ValidationError

    from senderscore_nb.errors import first_problem
    from senderscore_nb.secrets import Secret

    given = {kind: place for kind, place in places.items() if place}
    if len(given) > 1:
        raise PullError(
            f"The token is said to be in {len(given)} places.",
            hint="Give one of --token-env, --token-keyring and --token-file.",
        )
    try:
        secret = Secret(**(given or {"env": _VARIABLE}))
    except ValidationError as error:
        raise PullError(f"The token: {first_problem(error).message}.") from None
    return secret.read(Path())


def _day(text: str | None) -> dt.datetime | None:
    if text is None:
        return None
    try:
        at = dt.datetime.fromisoformat(text)
    except ValueError:
        raise PullError(
            f"--since {text}: not a day.", hint="Write it as 2026-01-31, or with time and offset."
        ) from None
    return at if at.tzinfo else at.replace(tzinfo=dt.UTC)
