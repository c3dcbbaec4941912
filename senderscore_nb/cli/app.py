"""The command that serves the explorer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from senderscore_nb.cli.base import policy_option, reading


@click.command()
@reading
@policy_option
@click.option("--port", default=8866, show_default=True, type=click.IntRange(0, 65535),
              help="Port on this machine; the next free one if it is taken.")  # fmt: skip
@click.option("--theme", type=click.Choice(["light", "dark"]), default="light", show_default=True,
              help="How it looks.")  # fmt: skip
@click.option("--browser/--no-browser", default=True, help="Open it in a browser, or not.")
def app(data: Sequence[str], policy: str | None, **options: Any) -> None:
    """Serve the explorer on this machine, for those who do not open notebooks."""
    from senderscore_nb.explorer.app import serve
    from senderscore_nb.policy import DEFAULT_POLICY

    given = {key: value for key, value in options.items() if value is not None}
    serve(data, say=click.echo, policy=policy or DEFAULT_POLICY, **given)
