"""How every number is defined, and what it was made from."""

from __future__ import annotations

import datetime as dt
import platform
from functools import cache
from importlib.metadata import version
from typing import Any

import polars as pl

from senderscore_nb.certainty import CERTAIN, PROBABLE
from senderscore_nb.policy import ScoringPolicy
from senderscore_nb.reports.blocks import Column, Prose, Table, count, text
from senderscore_nb.reports.frame import ReportFrame
from senderscore_nb.reports.words import plural

PACKAGES = ("senderscore-nb", "polars", "altair", "vl-convert-python", "papermill", "nbconvert")

KNOWN_FAULTS: tuple[str, ...] = (
    "Bounces of sales e-mail are detected for Google and Office 365, only partly for Exchange and "
    "IMAP, and missed where a gateway mails its notice separately. A low bounce rate can be a "
    "blind spot.",
    "Hard and soft bounces often cannot be told apart: there is not always a status code.",
    "Some out-of-office replies count as replies.",
    "A booked meeting or a colleague's reply ends a sequence without a reply of the contact.",
)


@cache
def versions() -> dict[str, str]:
    """The versions of what a report is made with, looked up once."""
    return {name: version(name) for name in PACKAGES}


def definitions(policy: ScoringPolicy) -> Table:
    """How each number is defined under a policy."""
    rules = policy.counting
    denominator = "ended − bounced" if rules.reply_denominator == "delivered" else "ended"
    errors = "count" if rules.manual_and_error_count_as_ended else "do not count"
    dated = "ended" if rules.date_basis == "ended_on" else "was enrolled"
    blocked = "count" if rules.blocked_count_as_bounced else "do not count"
    automatic = "count" if rules.out_of_office_count_as_replies else "do not count where known"
    rows = [
        (
            "Ended",
            "Enrollments that ended, with or without a response; a contact enrolled twice counts "
            f"twice; manual and error endings {errors}. Dated by the day the enrollment {dated}.",
        ),
        (
            "Reply rate",
            f"Enrollments with at least one reply and no bounce ÷ ({denominator}). "
            f"Out-of-office replies {automatic}.",
        ),
        (
            "Bounce rate",
            "Enrollments with a returned e-mail ÷ ended. Addresses blocked before sending "
            f"{blocked}. One that both replied and bounced counts as bounced.",
        ),
        (
            "Score",
            f"Points of the reply rate + points of the bounce rate, 0 to {policy.most:g}. Each "
            "sender needs a paid seat and "
            f"{policy.minimum.user} ended enrollments, a sequence {policy.minimum.sequence}; "
            "below that the status is Collecting. Everyone together, teams and sequences count "
            "every sender's enrollments, with a paid seat or without.",
        ),
        (
            "Interval of a rate",
            "95 % Wilson interval: the range of true rates that the counts are compatible with.",
        ),
        (
            "Interval of a score, probability of a band",
            "From the posterior of both true rates (Beta, Jeffreys prior) through the points; "
            f"a band is worded as certain from {100 * CERTAIN:.0f}\u00a0% on and as probable from "
            f"{100 * PROBABLE:.0f}\u00a0% on.",
        ),
        (
            "More than noise",
            "The interval of the change (square-and-add, allowing for the days that both windows "
            "share), with all senders judged together so that at most 5\u00a0% of the changes that "
            "are called real are expected to be chance (Benjamini–Hochberg).",
        ),
        (
            "Control limits",
            "Where the rate of a sender with everyone's true rate would lie in 95 % and 99.8 % of "
            "cases at that number of enrollments.",
        ),
    ]
    frame = pl.DataFrame(rows, schema=["what", "how"], orient="row")
    return Table(frame, [Column("what", "Number"), Column("how", "Definition")], "Definitions")


def policy_table(policy: ScoringPolicy) -> Table:
    """The policy's points and bands."""
    rows: list[tuple[str, str, str]] = []
    for word, curve in (("Reply rate", policy.reply_points), ("Bounce rate", policy.bounce_points)):
        rows += [(word, f"{100 * rate:g} %", f"{value:g} points") for rate, value in curve.knots]
    rows += [("Band", band.name, f"from {band.lower:g}") for band in policy.bands]
    frame = pl.DataFrame(rows, schema=["what", "at", "gives"], orient="row")
    columns = [Column("what", "What"), Column("at", "At"), Column("gives", "Gives")]
    return Table(frame, columns, "Points and bands of the policy")


def policy_words(policy: ScoringPolicy) -> Prose:
    """Whose policy it is and how its points are read."""
    between = {
        "linear": "are interpolated between the rates below",
        "step": "hold until the next rate below",
    }
    return Prose(
        [
            f"Policy {policy.label}. The vendor publishes no points and no cut-offs: these are "
            "this policy's, not HubSpot's.",
            f"Points for replies {between[policy.reply_points.interpolation]}; points for bounces "
            f"{between[policy.bounce_points.interpolation]}.",
            f"Source: {policy.source or 'not stated.'}",
        ]
    )


def inputs(report: ReportFrame) -> Table:
    """The files that were read, with their hashes."""
    frame = pl.DataFrame(
        [(f.name, f.rows, f.mapping, f.sha256) for f in report.account.reading.files],
        schema={"file": pl.String, "rows": pl.Int64, "mapping": pl.String, "sha256": pl.String},
        orient="row",
    )
    columns = [
        Column("file", "File"),
        Column("rows", "Rows", count),
        Column("mapping", "Mapping"),
        Column("sha256", "SHA-256"),
    ]
    return Table(frame, columns, "Input files")


def facts(report: ReportFrame) -> dict[str, Any]:
    """Selection, rows, versions and time as plain values."""
    reading = report.account.reading
    return {
        "period": report.period.name,
        "window": f"{report.window.start} to {report.window.end}",
        "data_through": _iso(report.account.through),
        "provisional_since": _iso(report.provisional_since),
        "selection": report.selection.describe(),
        "policy": report.policy.name,
        "policy_version": report.policy.version,
        "policy_fingerprint": report.policy.fingerprint,
        **reading.row_facts,
        "made_at": report.made_at.isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "versions": versions(),
    }


def _iso(value: dt.date | None) -> str | None:
    return value.isoformat() if value else None


def facts_table(report: ReportFrame) -> Table:
    """The facts as a table."""
    values = facts(report)
    names = values.pop("versions")
    unknown = [key for key, value in report.account.reading.row_facts.items() if value is None]
    values = {key: value for key, value in values.items() if key not in unknown}
    rows = [(key.replace("_", " ").capitalize(), text(value)) for key, value in values.items()]
    rows.append(("Versions", ", ".join(f"{k} {v}" for k, v in names.items())))
    frame = pl.DataFrame(rows, schema=["what", "value"], orient="row")
    return Table(frame, [Column("what", "What"), Column("value", "Value")], "This report")


def limits_of_the_data(report: ReportFrame) -> Prose:
    """What the data cannot tell: known faults of its kind, and what is missing in this one."""
    reading = report.account.reading
    lines = list(reading.remarks)
    by_end = report.policy.counting.date_basis == "ended_on"
    if not by_end:
        lines.append(
            "Enrollments are dated by the day they began, so the newest weeks hold only those that "
            "ended early, such as replies and bounces."
        )
    if reading.rejected.height:
        lines.append(
            f"{count(reading.rejected.height)} of {count(reading.read)} rows were rejected "
            f"({count(reading.duplicates)} of them exact duplicates); `senderscore check` lists "
            "them with the reason."
        )
    if report.account.roster is None:
        lines.append("There is no roster, so everybody is taken to have a paid seat.")
    else:
        known = report.account.roster["user_id"].implode()
        strangers = reading.names.users.filter(~pl.col("user_id").is_in(known)).height
        if strangers:
            lines.append(f"{plural(strangers, 'sender')} not in the roster: taken to have a seat.")
    if not reading.has_rows:
        lines.append(
            "Only tallies were read: the recipients' mailbox providers, and whether outcomes were "
            "inferred from e-mails, are not known."
        )
    else:
        lines += _limits_of_rows(reading.accepted)
    return Prose([*lines, *KNOWN_FAULTS], listed=True)


def _limits_of_rows(rows: pl.DataFrame) -> list[str]:
    lines = []
    if (
        "mailbox_provider" not in rows.columns
        or rows["mailbox_provider"].null_count() == rows.height
    ):
        lines.append("The recipients' mailbox providers are not known.")
    if "inferred" in rows.columns and rows["inferred"].any():
        lines.append(
            "Some enrollments were reconstructed from e-mails; their outcomes are inferred."
        )
    return lines
