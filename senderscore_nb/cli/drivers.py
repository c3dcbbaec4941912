"""The group of commands about why a score moved, and what would move it."""

from __future__ import annotations

import click


@click.group()
def drivers() -> None:
    """Why the score moved, and what would move it."""
