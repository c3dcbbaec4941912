"""Commands about factors and levers: drivers factors, drivers levers, contacts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from senderscore_nb.cli.base import policy_option, reading, say, selecting, writing
from senderscore_nb.cli.data import factors_of as pairs_of
from senderscore_nb.cli.data import open_data
from senderscore_nb.cli.drivers import drivers

if TYPE_CHECKING:
    from senderscore_nb.account import Account
    from senderscore_nb.selection import Selection

_unengaged = click.option(
    "--unengaged-from",
    type=click.IntRange(1),
    default=11,
    show_default=True,
    help="E-mails since a contact last engaged from which it is unengaged.",
)


@drivers.command("factors")
@reading
@policy_option
@click.option(
    "--factors",
    "names",
    metavar="NAMES",
    help="Columns, with commas; every one that can be a factor unless given.",
)
@click.option(
    "--outcome",
    type=click.Choice(["replied", "bounced"]),
    help="Both unless given.",
)
@click.option("--given", metavar="NAMES", help="Compare within these columns, too; with commas.")
@click.option("--words", is_flag=True, help="Sentences instead of a table.")
@writing
def factors(
    data: Sequence[str],
    mapping: str | None,
    timezone: str | None,
    roster: str | None,
    policy: str | None,
    names: str | None,
    outcome: str | None,
    given: str | None,
    words: bool,
    form: str | None,
    output: str | None,
) -> None:
    """What goes with replies and bounces, given sender, sequence and week."""
    from senderscore_nb.drivers.factors import factor_effects
    from senderscore_nb.drivers.factors_words import effect_sentences
    from senderscore_nb.output import format_of, write_table

    account = open_data(data, mapping, timezone, roster, policy)
    found = factor_effects(
        account.reading.accepted,
        account.policy,
        factors=_names(names),
        outcome=outcome,
        given=_names(given) or (),
        progress=say,
    )
    if words:
        for sentence in effect_sentences(found):
            click.echo(_line(sentence))
        return
    notes = [*found.notes, f"Policy {account.policy.label}."]
    rows = [_effect(row) for row in found.effects.iter_rows(named=True)]
    write_table(found.effects, rows, form or format_of(output), output, note="\n".join(notes))


@drivers.command("levers")
@reading
@policy_option
@selecting
@click.option("--by", default="", help="user or team; everyone together unless given.")
@_unengaged
@click.option("--words", is_flag=True, help="Sentences instead of a table.")
@writing
def levers(
    data: Sequence[str],
    mapping: str | None,
    timezone: str | None,
    roster: str | None,
    policy: str | None,
    by: str,
    unengaged_from: int,
    words: bool,
    form: str | None,
    output: str | None,
    **selected: Any,
) -> None:
    """What each piece of advice would be worth, in rates, points and bands."""
    from senderscore_nb.drivers.levers_measured import LeverSettings
    from senderscore_nb.drivers.levers_measured import levers as compute
    from senderscore_nb.drivers.levers_words import lever_sentences
    from senderscore_nb.output import format_of, write_table

    account = open_data(data, mapping, timezone, roster, policy)
    found = compute(
        account.reading.accepted,
        account.policy,
        by=by,
        selection=_selection(account, selected),
        roster=account.roster,
        settings=LeverSettings(unengaged_from=unengaged_from),
        progress=say,
    )
    found = account.labels.add(found)
    keys = [name for name in ("user_label", "team", "sequence_label") if name in found.columns]
    if words:
        for key, mine in found.group_by(keys or "ended", maintain_order=True):
            for sentence in lever_sentences(mine):
                who = f"{', '.join(str(part) for part in key)}: " if keys else ""
                click.echo(_line(who + sentence))
        return
    rows = [_lever(row, keys) for row in found.iter_rows(named=True)]
    why = dict(found.select("lever", "reason").unique(maintain_order=True).iter_rows())
    note = "\n".join(
        [
            *(f"{lever}: {reason}" for lever, reason in why.items()),
            "If the associations are causes, and for true rates: what is observed varies more.",
            f"Policy {account.policy.label}.",
        ]
    )
    write_table(found, rows, form or format_of(output), output, note=note)


@click.command()
@reading
@policy_option
@selecting
@click.option(
    "--lever", required=True, metavar="NAME", help="tokens, segments, content, sequences, "
    "unengaged, hard-bounced, opted-out or source.",
)  # fmt: skip
@_unengaged
@writing
def contacts(
    data: Sequence[str],
    mapping: str | None,
    timezone: str | None,
    roster: str | None,
    policy: str | None,
    lever: str,
    unengaged_from: int,
    form: str | None,
    output: str | None,
    **selected: Any,
) -> None:
    """List the contacts that a lever touches, to be imported by record id or e-mail."""
    from senderscore_nb.drivers.contacts import contact_list
    from senderscore_nb.drivers.levers_measured import LeverSettings
    from senderscore_nb.output import format_of, write_table

    account = open_data(data, mapping, timezone, roster, policy)
    listed = contact_list(
        account.reading.accepted,
        lever,
        account.policy,
        selection=_selection(account, selected),
        roster=account.roster,
        settings=LeverSettings(unengaged_from=unengaged_from),
    )
    rows = [
        {name: "–" if value is None else str(value) for name, value in row.items()}
        for row in listed.iter_rows(named=True)
    ]
    wanted = form or ("csv" if not output else format_of(output))
    write_table(listed, rows, wanted, output, note=f"{listed.height:,} contacts.")
    if output:
        click.echo(f"{listed.height:,} contacts were written to {output}.", err=True)


def _names(text: str | None) -> list[str] | None:
    return None if text is None else [part.strip() for part in text.split(",") if part.strip()]


def _selection(account: Account, selected: dict[str, Any]) -> Selection:
    """The options as a selection; what it names must be there."""
    from senderscore_nb.selection import Selection

    selected["factors"] = pairs_of(selected["factors"])
    selection = Selection.parse(selected, where="options")
    account.select(selection)
    return selection


def _effect(row: dict[str, Any]) -> dict[str, str]:
    def points(end: str) -> str:
        value = row[f"difference_pp{end}"]
        return "–" if value is None else f"{value:+.2f}"

    ratio = row["odds_ratio"]
    return {
        "outcome": row["outcome"],
        "factor": row["factor"],
        "level": row["level"],
        "against": row["against"],
        "enrollments": str(row["enrollments"]),
        "difference (points)": points(""),
        "low": points("_low"),
        "high": points("_high"),
        "odds ratio": "–" if ratio is None else f"{ratio:.2f}",
        "more than chance": "yes" if row["certain"] else "no",
        "notes": row["notes"] or "",
    }


def _lever(row: dict[str, Any], keys: Sequence[str]) -> dict[str, str]:
    def moved(name: str, scale: float, end: str) -> str:
        now, then = row[name], row[f"{name}_expected"]
        if now is None:
            return "–"
        after = "" if then is None else f" → {scale * then:.1f}{end}"
        return f"{scale * now:.1f}{end}{after}"

    change = row["score_change"]
    low, high = row["score_change_low"], row["score_change_high"]
    better = row["p_better_band"]
    return {
        **{key: str(row[key]) for key in keys},
        "lever": row["lever"],
        "status": row["status"].replace("_", " "),
        "touched": "–" if row["touched"] is None else f"{row['touched']} of {row['ended']}",
        "replies": moved("reply_rate", 100, " %"),
        "bounces": moved("bounce_rate", 100, " %"),
        "score": moved("score", 1, ""),
        "change": "–" if change is None else f"{change:+.1f} ({low:+.1f} to {high:+.1f})",
        "better band": "–" if better is None else f"{better:.0%}",
    }


def _line(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)
