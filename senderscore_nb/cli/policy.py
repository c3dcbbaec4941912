"""Commands over scoring policies: list, show, check, diff, compare."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from senderscore_nb.cli.base import FAILED, reading, say, selecting
from senderscore_nb.errors import SenderScoreError

if TYPE_CHECKING:
    import polars as pl

    from senderscore_nb.experiment import Comparison


@click.group()
def policy() -> None:
    """List, show, check and compare scoring policies."""


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


@policy.command("check")
@click.argument("file", metavar="NAME|FILE")
def policy_check(file: str) -> None:
    """Say every mistake of a policy, or what it says in words. Exits with 1 if there is one."""
    from senderscore_nb.experiment import described, mistakes
    from senderscore_nb.policy import load_policy

    found = mistakes(file)
    if found:
        for line in found:
            click.echo(f"{file}: {line}")
        raise SystemExit(FAILED)
    for line in described(load_policy(file)):
        click.echo(line)


@policy.command("diff")
@click.argument("before", metavar="A")
@click.argument("after", metavar="B")
@click.option("--format", "form", type=click.Choice(["table", "csv", "json"]), default="table",
              show_default=True, help="How it is written.")  # fmt: skip
def policy_diff(before: str, after: str, form: str) -> None:
    """What differs between two policies, knot by knot and band by band."""
    from senderscore_nb.experiment import differences
    from senderscore_nb.output import write_rows
    from senderscore_nb.policy import load_policy

    one, two = load_policy(before), load_policy(after)
    rows = differences(one, two)
    if form == "table":
        click.echo(f"A: {one.label}\nB: {two.label}")
        if rows.is_empty():
            click.echo("Both score alike.")
            return
        rows = rows.rename({"before": "A", "after": "B"})
    write_rows({"differences": rows}, form)


@policy.command("compare")
@reading
@click.option("--policy", "policies", multiple=True, metavar="NAME|FILE", required=True,
              help="Two or more; the first is what the others are compared with.")  # fmt: skip
@selecting
@click.option("--weeks", type=click.IntRange(1, 520), metavar="N",
              help="Also week by week, over that many weeks each.")  # fmt: skip
@click.option("--format", "form", type=click.Choice(["table", "csv", "json"]),
              help="As the file's ending says; csv is the band of each sender.")  # fmt: skip
@click.option("--output", "-o", metavar="FILE", help="Write to a file instead of the terminal.")
def policy_compare(
    data: Sequence[str],
    mapping: str | None,
    timezone: str | None,
    roster: str | None,
    policies: Sequence[str],
    weeks: int | None,
    form: str | None,
    output: str | None,
    **selected: Any,
) -> None:
    """Score the same senders under several policies: who moves, who agrees, how stable each is."""
    from senderscore_nb.account import open_account
    from senderscore_nb.cli.data import factors_of
    from senderscore_nb.experiment import compare
    from senderscore_nb.experiment.naming import load_all
    from senderscore_nb.output import format_of, write_rows
    from senderscore_nb.selection import Selection

    if len(policies) < 2:
        raise SenderScoreError("One policy was given.", hint="Add another --policy NAME|FILE.")
    loaded = load_all(policies)
    selected["factors"] = factors_of(selected["factors"])
    selection = Selection.parse(selected, where="options")
    account = open_account(
        list(data),
        mapping=mapping,
        timezone=timezone,
        roster=roster,
        policy=loaded[0],
        progress=say,
    )
    found = compare(account, loaded, selection=selection, weeks=weeks)
    written = form or format_of(output)
    if written == "parquet":
        raise SenderScoreError("Several tables do not fit into Parquet.", hint="Use .json.")
    parts = {"bands": found.bands()} if written == "csv" else _parts(found)
    note = "\n".join(f"{name}: {one.label}" for name, one in zip(found.names, loaded, strict=True))
    write_rows(parts, written, output, note=note)


def _parts(found: Comparison) -> dict[str, pl.DataFrame]:
    """What is printed: bands, agreement, and for each further policy migration and movers."""
    import polars as pl

    parts = {"bands": found.bands(), "agreement": found.agreement()}
    first = found.names[0]
    for name in found.names[1:]:
        moves = found.migration(first, name).filter(pl.col("senders") > 0)
        about = f"{first} → {name}" if len(found.names) > 2 else ""
        parts[f"migration {about}".strip()] = moves.drop("before_place", "after_place")
        movers = found.movers(first, name).filter("moves").drop("moves")
        parts[f"movers {about}".strip()] = movers
    stable = _stability(found)
    if stable is not None:
        parts["stability"] = stable
    if found.history is not None:
        parts["flips over time"] = found.flips()
        for name in found.names[1:]:
            about = f" {first} → {name}" if len(found.names) > 2 else ""
            parts[f"agreement over time{about}"] = found.over_time(first, name)
    return parts


def _stability(found: Comparison) -> pl.DataFrame | None:
    """How often bands would change by chance; none where nobody has a score."""
    import polars as pl

    from senderscore_nb.experiment import Cohort, stability

    first = found.now.filter((pl.col("policy") == found.names[0]) & pl.col("score").is_not_null())
    if first.is_empty():
        return None
    cohort = Cohort.of(first.with_columns(status=pl.lit("scored")))
    sizes = sorted({100, 300, 1000, max(1, round(float(str(first["ended"].median()))))})
    rows = stability(found.policies, cohort, sizes=sizes).drop("in_a_row")
    names = [name for name in found.names for _ in sizes]
    return rows.with_columns(policy=pl.Series(names, dtype=pl.String))
