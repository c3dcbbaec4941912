"""Commands that begin a project of reports and have it called: init, schedule."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("folder", type=click.Path(file_okay=False))
@click.option(
    "--data",
    "sources",
    multiple=True,
    metavar="PATH",
    help="Your exports; a copy of the sample account unless given. Repeatable.",
)
@click.option("--timezone", metavar="ZONE", help="The account's time zone, as Europe/Berlin.")
def init(folder: str, sources: tuple[str, ...], timezone: str | None) -> None:
    """Write a working project of scheduled reports to FOLDER: plan, policy, notebooks, sample."""
    from senderscore_nb.schedule.start import start_project

    for line in start_project(Path(folder), sources=sources, timezone=timezone or ""):
        click.echo(line)


@click.command()
@click.argument("kind", type=click.Choice(["cron", "systemd", "github-actions", "airflow"]))
@click.option(
    "--plan",
    default="reports.toml",
    show_default=True,
    metavar="FILE",
    help="The plan, or its folder.",
)
@click.option(
    "--minutes",
    type=click.IntRange(1, 60),
    default=15,
    show_default=True,
    help="How often the scheduler asks what is due.",
)
@click.option(
    "--output",
    "-o",
    type=click.Path(file_okay=False),
    metavar="FOLDER",
    help="Write the unit's files there instead of printing them.",
)
def schedule(kind: str, plan: str, minutes: int, output: str | None) -> None:
    """Print the unit that has a scheduler call this project: for KIND, ready to install."""
    from senderscore_nb.safe import write_atomically
    from senderscore_nb.schedule.project import Project
    from senderscore_nb.schedule.units import files, target_of, unit

    project = Project.open(plan)
    names = tuple(secret.env for secret in project.secrets if secret.env)
    pages = project.plan.output.folder
    target = target_of(project.path, minutes=minutes, secrets=names, pages=pages)
    if output is None:
        click.echo(unit(kind, target), nl=False)
        return
    folder = Path(output)
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files(kind, target).items():
        write_atomically(folder / name, text)
        click.echo(folder / name)
