"""The contacts that a lever touches, as a list that can be imported where contacts are kept."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from senderscore_nb.drivers.factors_columns import ADDRESSES, label_of, level_texts
from senderscore_nb.drivers.levers_measured import (
    LeverSettings,
    chosen_rows,
    plans,
    window_of,
    with_levers,
)
from senderscore_nb.drivers.levers_plan import UNENGAGED, Lever, lever_named
from senderscore_nb.errors import SenderScoreError
from senderscore_nb.policy import DEFAULT_POLICY, ScoringPolicy, load_policy
from senderscore_nb.selection import Selection

COLUMNS: tuple[str, ...] = ("Record ID", "Email", "Reason", "Last enrolled")
"""The columns of a list; the first two are what HubSpot's import knows contacts by."""

_WHY, _ID, _MAIL = "__why", "__id", "__mail"


def contact_list(
    enrollments: pl.DataFrame | pl.LazyFrame,
    lever: str,
    policy: ScoringPolicy | str = DEFAULT_POLICY,
    *,
    selection: Selection | None = None,
    roster: pl.DataFrame | None = None,
    settings: LeverSettings | None = None,
) -> pl.DataFrame:
    """The contacts of a lever, each once, with the reason.

    `hard-bounced`: bounced before or in this data (a bounce that is known to be soft does not
    count), or refused because of it. `opted-out`: opted out before, or unsubscribed. `unengaged`:
    long without engaging when last enrolled, and not engaged since. The others: enrolled in the
    selection's days (the last weeks unless it has any) at a level that the lever touches, which is
    found from the whole account.

    Args:
        enrollments: The contract's columns.
        lever: A lever's name, as `hard-bounced`.
        policy: Whose counting rules count.
        selection: Users, teams, sequences, days of enrollment.
        roster: Needed for teams.
        settings: What counts as unengaged, and the window.

    Returns:
        `Record ID` (the contact's id), `Email` (null unless a mapping keeps addresses, in a column
        contact_email or email), `Reason`, `Last enrolled` (day); sorted by id. Empty where nobody
        is touched.

    Raises:
        SenderScoreError: There is no such lever, or the data names no contacts or does not have
            what the lever looks at.
    """
    settings = settings or LeverSettings()
    policy = load_policy(policy)
    chosen = lever_named(lever)
    frame = with_levers(enrollments, settings)
    columns = frame.collect_schema().names()
    known = [name for name in ("contact_id", *ADDRESSES) if name in columns]
    if not known:
        raise SenderScoreError(
            "The data does not say who the contacts are.",
            hint="Map a header to contact_id (the record id) or to contact_email.",
        )
    rows = chosen_rows(frame, selection, roster)
    if selection is not None:
        start, end = selection.start, selection.end
        day = pl.col("enrolled_on")
        rows = rows.filter(day >= start) if start else rows
        rows = rows.filter(day <= end) if end else rows
    reasons = _reasons(chosen, columns, settings)
    if reasons is None:
        rows, reasons = _of_levels(chosen, frame, rows, policy, selection, settings)
    if chosen.key == UNENGAGED:
        rows = _latest(rows)
    return _once(rows.with_columns(reasons.alias(_WHY)).filter(pl.col(_WHY).is_not_null()), columns)


def _reasons(lever: Lever, columns: Sequence[str], settings: LeverSettings) -> pl.Expr | None:
    """Why an enrollment's contact is on the list; None where the levels decide."""
    tests: list[tuple[str, pl.Expr]] = []
    if lever.key == "hard-bounced":
        bounced = pl.col("bounced")
        if "bounce_type" in columns:
            hard = pl.col("bounce_type").cast(pl.String)
            bounced = bounced & (hard != "soft").fill_null(value=True)
        tests.append(("bounced in this account", bounced))
        if "end_reason" in columns:
            blocked = pl.col("end_reason").cast(pl.String) == "blocked"
            tests.append(("refused before sending", blocked))
        if "previously_bounced" in columns:
            tests.append(("had bounced before it was enrolled", pl.col("previously_bounced")))
    elif lever.key == "opted-out":
        if "unsubscribed" in columns:
            tests.append(("unsubscribed", pl.col("unsubscribed")))
        if "opted_out" in columns:
            tests.append(("had opted out before it was enrolled", pl.col("opted_out")))
    elif lever.key == UNENGAGED and UNENGAGED in columns:
        engaged = pl.lit(value=False)
        for name in ("opened", "clicked", "replied"):
            if name in columns:
                engaged = engaged | pl.col(name).fill_null(value=False)
        said = f"{settings.unengaged_from} e-mails or more since it last engaged"
        tests.append((said, pl.col(UNENGAGED) & ~engaged))
    elif lever.key != UNENGAGED:
        return None
    if not tests:
        column = "sends_since_engagement" if lever.key == UNENGAGED else lever.factor
        raise SenderScoreError(
            f"The data does not have what the lever {lever.key} looks at.",
            hint=f"Map a header to {column}.",
        )
    parts = [pl.when(test.fill_null(value=False)).then(pl.lit(said)) for said, test in tests]
    return pl.coalesce(parts)


def _of_levels(
    lever: Lever,
    frame: pl.LazyFrame,
    rows: pl.LazyFrame,
    policy: ScoringPolicy,
    selection: Selection | None,
    settings: LeverSettings,
) -> tuple[pl.LazyFrame, pl.Expr]:
    """The window's enrollments, and the level of those that the lever touches."""
    if lever.factor not in frame.collect_schema():
        raise SenderScoreError(
            f"The data does not have what the lever {lever.key} looks at.",
            hint=f"Map a header to {lever.factor}.",
        )
    touched: tuple[str, ...] = (lever.touches,) if lever.touches else ()
    if not touched:
        touched = plans(frame, policy, settings=settings)[lever.key].touched
    window = window_of(frame, policy, settings, selection)
    inside = rows.filter(pl.col("enrolled_on").is_between(window.start, window.end)).collect()
    values = inside[lever.factor]
    text = level_texts(lever.factor, values)
    text = values.cast(pl.String) if text is None else text
    names = {value: label_of(value) for value in text.drop_nulls().unique().to_list()}
    reason = {v: f"{lever.factor}: {n}" for v, n in names.items() if n in touched}
    why = text.replace_strict(reason, default=None, return_dtype=pl.String)
    return inside.with_columns(why.alias(_WHY)).lazy(), pl.col(_WHY)


def _latest(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Each contact's newest enrollment."""
    columns = rows.collect_schema().names()
    if "contact_id" not in columns:
        return rows
    newest = pl.col("enrolled_on") == pl.col("enrolled_on").max().over("contact_id")
    return rows.filter(newest | pl.col("contact_id").is_null())


def _once(rows: pl.LazyFrame, columns: Sequence[str]) -> pl.DataFrame:
    """Each contact once: by record id, else by address."""
    mails = [pl.col(name).str.strip_chars() for name in ADDRESSES if name in columns]
    mail = pl.coalesce(mails) if mails else pl.lit(None, pl.String)
    number = pl.col("contact_id") if "contact_id" in columns else pl.lit(None, pl.String)
    named = rows.select(
        number.cast(pl.String).alias(_ID), mail.cast(pl.String).alias(_MAIL), _WHY, "enrolled_on"
    )
    key = pl.coalesce(_ID, pl.col(_MAIL).str.to_lowercase())
    listed = (
        named.filter(key.is_not_null())
        .sort("enrolled_on", maintain_order=True)
        .group_by(key.alias("__key"))
        .agg(
            pl.col(_ID).first().alias("Record ID"),
            pl.col(_MAIL).drop_nulls().last().alias("Email"),
            pl.col(_WHY).unique(maintain_order=True).str.join("; ").alias("Reason"),
            pl.col("enrolled_on").max().alias("Last enrolled"),
        )
        .collect()
    )
    number_like = pl.col("Record ID").str.len_chars()
    return listed.sort(number_like, "Record ID", "Email", nulls_last=True).select(COLUMNS)
