"""Commands over a tally store: store update, show, verify."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from senderscore_nb.cli.base import FAILED, Group, exports, policy_option, say, writing

if TYPE_CHECKING:
    import polars as pl

    from senderscore_nb.account import Account
    from senderscore_nb.store import Tallied, TallyStore, Updated
    from senderscore_nb.store.manifest import Manifest


@click.group(cls=Group)
def store() -> None:
    """Keep tallies in a folder, and bring them up to date day by day."""


@store.command()
@click.argument("folder", metavar="STORE")
@exports
@policy_option
@click.option(
    "--days",
    metavar="DAYS",
    help="Days that DATA holds whole, as 2026-11-02..2026-11-15; from the first to the last day in "
    "it unless given.",
)
def update(
    folder: str,
    data: Sequence[str],
    mapping: str | None,
    timezone: str | None,
    policy: str | None,
    days: str | None,
) -> None:
    """Count DATA, and replace the days that it covers; other days stay.

    The first time it makes the store, with the policy's counting rules and the time zone. Later
    they are the store's own unless given, and must be the same.
    """
    from senderscore_nb.store import Days, TallyStore
    from senderscore_nb.store import update as bring_up_to_date

    kept = TallyStore(folder)
    state = kept.state_or_none()
    chosen = Days.parse(days) if days else None
    account = _account(data, mapping, timezone, policy, state)
    tallied = _stated(account, timezone, policy, state)
    updated = bring_up_to_date(kept, tallied, days=chosen)
    if rejected := account.reading.rejected.height:
        click.echo(
            f"{rejected} of {account.reading.read} rows were rejected; "
            "`senderscore check` says why.",
            err=True,
        )
    tell_update(kept, updated)


@store.command()
@click.argument("folder", metavar="STORE")
@writing
def show(folder: str, form: str | None, output: str | None) -> None:
    """The months of a store, and what it was counted under."""
    from senderscore_nb.output import format_of, write_frame, write_rows
    from senderscore_nb.store import TallyStore
    from senderscore_nb.store.partitions import months_frame

    state = TallyStore(folder).state()
    months = months_frame(state)
    wanted = form or format_of(output)
    if wanted == "json":
        write_rows({"store": _facts(state), "months": months}, wanted, output)
        return
    columns = [name for name in months.columns if name != "file"]
    note = "\n".join(_about(state, months))
    write_frame(months, wanted, output, note=note, columns=columns)


@store.command()
@click.argument("folder", metavar="STORE")
@writing
def verify(folder: str, form: str | None, output: str | None) -> None:
    """Check every file of a store against its manifest. Exits with 1 if one is broken."""
    from senderscore_nb.output import format_of, write_frame
    from senderscore_nb.store import TallyStore
    from senderscore_nb.store.partitions import MEND, MONTHS

    kept = TallyStore(folder)
    found = kept.verify()
    broken = found.filter(found["problem"] != "")
    note = f"{found.height} months, {broken.height} of them broken. {MEND if broken.height else ''}"
    columns = ["month", "rows", "size", "problem"]
    write_frame(found, form or format_of(output), output, note=note, columns=columns)
    for month, file, problem in broken.select("month", "file", "problem").iter_rows():
        click.echo(f"{kept.folder / MONTHS / file}: {month}: {problem}", err=True)
    if broken.height:
        raise SystemExit(FAILED)


def _account(
    data: Sequence[str],
    mapping: str | None,
    timezone: str | None,
    policy_name: str | None,
    state: Manifest | None,
) -> Account:
    """The data under the policy's rules, or the store's own where no policy is given."""
    from senderscore_nb.account import open_account
    from senderscore_nb.policy import load_policy

    policy = load_policy(policy_name) if policy_name else load_policy()
    if state is not None and policy_name is None:
        policy = policy.model_copy(update={"counting": state.rules})
    return open_account(
        list(data),
        mapping=mapping,
        timezone=timezone or (state.timezone if state else None) or None,
        policy=policy,
        progress=say,
    )


def _stated(
    account: Account, timezone: str | None, policy: str | None, state: Manifest | None
) -> Tallied:
    """The account's tallies; rules that tallies do not tell are those of a policy that is given."""
    tallied = account.tallied
    if tallied.rules is None and policy is not None:
        tallied = replace(tallied, rules=account.policy.counting)
    if not tallied.timezone and (timezone or state):
        tallied = replace(tallied, timezone=timezone or (state.timezone if state else ""))
    return tallied


def tell_update(kept: TallyStore, updated: Updated) -> None:
    """What an update of a store did, on the terminal."""
    change, lost = updated.change, updated.fewer
    if lost.height:
        gone = int((lost["known"] - lost["found"]).sum())
        click.echo(
            f"{gone} ended enrollments that the store knew are gone, on {lost.height} days from "
            f"{lost['day'][0]} on: deleted, or not in this data.",
            err=True,
        )
    touched = [*change.written, *(f"{month} (now empty)" for month in change.removed)]
    what = f"wrote {_listed(touched)}, {change.size:,} bytes" if touched else "nothing differed"
    click.echo(f"Replaced {change.days} in {kept.folder}: {what}.")


def _facts(state: Manifest) -> pl.DataFrame:
    import polars as pl

    values = state.model_dump(mode="json", exclude={"users", "sequences", "months"})
    counts = {"users": len(state.users), "sequences": len(state.sequences)}
    return pl.DataFrame([{**values, **counts}])


def _about(state: Manifest, months: pl.DataFrame) -> list[str]:
    from senderscore_nb.store import Days
    from senderscore_nb.store.days import gaps

    ranges = [Days(*ends) for ends in state.covered]
    missing = [str(days) for days in gaps(ranges)]
    rules: Any = state.rules
    return [
        f"{months['rows'].sum():,} cells, {months['ended'].sum():,} ended enrollments, "
        f"{months['size'].sum():,} bytes; {len(state.users):,} senders, "
        f"{len(state.sequences):,} sequences; state {state.generation}.",
        f"Days covered: {_listed([str(days) for days in ranges])}; the data knew of "
        f"{state.through}.",
        *([f"Never covered: {_listed(missing)}."] if missing else []),
        f"Time zone {state.timezone or 'not stated'}; counted with "
        + ", ".join(f"{name} = {rules.word(name)}" for name in type(rules).model_fields)
        + ".",
    ]


def _listed(names: Sequence[str], most: int = 6) -> str:
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown or "none"
