"""What each piece of the vendor's advice would be worth, measured on the account's own data."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import polars as pl

from senderscore_nb.change import Window
from senderscore_nb.drivers.factors import FactorEffects, FactorSettings, factor_effects
from senderscore_nb.drivers.factors_past import known_past
from senderscore_nb.drivers.levers_plan import LEVERS, UNENGAGED, Lever, Plan, plan_for
from senderscore_nb.drivers.levers_worth import Subjects, worth
from senderscore_nb.policy import DEFAULT_POLICY, ScoringPolicy, load_policy
from senderscore_nb.score import parse_by, with_team
from senderscore_nb.selection import Selection

NEVER_ENGAGED = 11
"""E-mails without any engagement from which a contact counts as unengaged, unless set otherwise."""


@dataclass(frozen=True)
class LeverSettings:
    """How levers are measured.

    Attributes:
        weeks: The window that a lever is tried on: so many last weeks of what ended.
        unengaged_from: E-mails since a contact last engaged from which it counts as unengaged.
        confidence: Of every interval.
        factors: How the effects are estimated.
    """

    weeks: int = 12
    unengaged_from: int = NEVER_ENGAGED
    confidence: float = 0.95
    factors: FactorSettings = field(default_factory=FactorSettings)


def levers(
    enrollments: pl.DataFrame | pl.LazyFrame,
    policy: ScoringPolicy | str = DEFAULT_POLICY,
    *,
    by: str | Sequence[str] = "",
    selection: Selection | None = None,
    roster: pl.DataFrame | None = None,
    settings: LeverSettings | None = None,
    effects: FactorEffects | None = None,
    progress: Callable[[str], None] | None = None,
) -> pl.DataFrame:
    """The levers for each sender, team or everyone, the one worth most points first.

    The effects come from the whole account (`factor_effects`); what a lever would change is worked
    out for whom it is asked: the levels that they use in the window, their own rates as a
    posterior, the effect's uncertainty, and the policy's curves. Enrollments that a lever
    suppresses leave numerator and denominator; those that it changes stay, with the odds of the
    level that they are moved to. It is what would be expected if the association were a cause, and
    is about true rates: what is observed varies more.

    Args:
        enrollments: The contract's columns.
        policy: The policy that scores.
        by: `user`, `team`, or nothing for everyone together.
        selection: Users, teams, sequences and days; the last weeks unless it has days.
        roster: Needed for teams.
        settings: Window, thresholds, intervals.
        effects: Those of the whole account (`lever_effects`), where they are at hand already.
        progress: Called with a line about each step.

    Returns:
        The keys; `lever`, `advice`, `kind` (change or suppress), `status` (supported,
        no_effect_shown, too_few, not_in_data), `reason`, `levels` (what is touched), `target`;
        `ended` in the window, `touched`; for `reply_rate` and `bounce_rate` (fractions) the rate
        now, and with `_expected`, `_change`, `_change_low`, `_change_high`; the same for `score`;
        `band`, `band_expected`, `p_better_band`; `rank` within the keys, from 1. Scores are null
        below the policy's minimum.

    Raises:
        SelectionError: Teams without a roster.
        FactorError: The selection names a factor that is not there.
        ContractError: A column is missing.
    """
    settings = settings or LeverSettings()
    policy = load_policy(policy)
    keys = list(parse_by(by))
    frame = with_levers(enrollments, settings)
    found = effects or lever_effects(enrollments, policy, settings=settings, progress=progress)
    if progress:
        progress("Trying the levers …")
    window = window_of(frame, policy, settings, selection)
    rows = chosen_rows(frame, selection, roster)
    subjects = Subjects.of(rows, window, policy, keys, roster)
    parts = [
        worth(subjects, plan_for(lever, found, frame), policy, confidence=settings.confidence)
        for lever in LEVERS
    ]
    return _ranked(pl.concat(parts), keys)


def lever_effects(
    enrollments: pl.DataFrame | pl.LazyFrame,
    policy: ScoringPolicy | str = DEFAULT_POLICY,
    *,
    settings: LeverSettings | None = None,
    progress: Callable[[str], None] | None = None,
) -> FactorEffects:
    """The effects of the factors that levers move, in the whole account.

    Args:
        enrollments: The contract's columns.
        policy: The policy that scores.
        settings: How the effects are estimated, and who counts as unengaged.
        progress: Called with a line about each step.

    Raises:
        ContractError: A column is missing.
    """
    settings = settings or LeverSettings()
    frame = with_levers(enrollments, settings)
    names = [lever.factor for lever in LEVERS if lever.factor in frame.collect_schema()]
    return factor_effects(
        frame, load_policy(policy), factors=names, settings=settings.factors, progress=progress
    )


def with_levers(
    enrollments: pl.DataFrame | pl.LazyFrame, settings: LeverSettings | None = None
) -> pl.LazyFrame:
    """Enrollments with the columns that levers look at and that can be worked out."""
    settings = settings or LeverSettings()
    frame, _ = known_past(enrollments.lazy())
    if "sends_since_engagement" in frame.collect_schema():
        sends = pl.col("sends_since_engagement")
        frame = frame.with_columns((sends >= settings.unengaged_from).alias(UNENGAGED))
    return frame


def plans(
    enrollments: pl.DataFrame | pl.LazyFrame,
    policy: ScoringPolicy | str = DEFAULT_POLICY,
    *,
    settings: LeverSettings | None = None,
) -> dict[str, Plan]:
    """What each lever would do, by its name: which levels it touches, and whether it is shown."""
    settings = settings or LeverSettings()
    frame = with_levers(enrollments, settings)
    found = lever_effects(enrollments, policy, settings=settings)
    return {lever.key: plan_for(lever, found, frame) for lever in LEVERS}


def window_of(
    frame: pl.LazyFrame,
    policy: ScoringPolicy,
    settings: LeverSettings,
    selection: Selection | None = None,
) -> Window:
    """The days that levers are tried on: the selection's, or the last weeks of what ended."""
    day = pl.col(policy.counting.date_basis)
    last = frame.filter(pl.col("ended_on").is_not_null()).select(day.max()).collect().item()
    end = (selection.end if selection else None) or last or dt.date(1970, 1, 1)
    start = selection.start if selection else None
    return Window(start or end - dt.timedelta(days=7 * settings.weeks - 1), end)


def chosen_rows(
    frame: pl.LazyFrame, selection: Selection | None, roster: pl.DataFrame | None
) -> pl.LazyFrame:
    """The enrollments of a selection's users, teams, sequences and factors, of all days."""
    if selection is None:
        return frame
    from senderscore_nb.errors import SelectionError, did_you_mean

    columns = frame.collect_schema().names()
    for name, values in selection.factors:
        if name not in columns:
            raise SelectionError(f"There is no factor {name!r}.", hint=did_you_mean(name, columns))
        frame = frame.filter(pl.col(name).cast(pl.String).is_in(list(values)))
    if selection.teams:
        known = [] if roster is None else roster["team"].drop_nulls().unique().sort().to_list()
        for team in selection.teams:
            if roster is not None and team not in known:
                raise SelectionError(f"There is no team {team!r}.", hint=did_you_mean(team, known))
        frame = with_team(frame.collect(), roster).lazy()
        frame = frame.filter(pl.col("team").is_in(list(selection.teams))).drop("team")
    if selection.users:
        frame = frame.filter(pl.col("user_id").is_in(list(selection.users)))
    if selection.sequences:
        frame = frame.filter(pl.col("sequence_id").is_in(list(selection.sequences)))
    return frame


def _ranked(worths: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    """By keys; supported ones first, then by points, then by rates."""
    supported = pl.col("status") == "supported"
    points = pl.col("score_change").fill_null(0.0)
    rates = pl.col("reply_rate_change").fill_null(0.0) - pl.col("bounce_rate_change").fill_null(0.0)
    places = [supported, points, rates]
    worths = worths.sort(
        [*keys, *places], descending=[*(False for _ in keys), *(True for _ in places)],
        nulls_last=True, maintain_order=True,
    )  # fmt: skip
    rank = pl.int_range(1, pl.len() + 1, dtype=pl.Int64)
    return worths.with_columns(rank.over(keys).alias("rank") if keys else rank.alias("rank"))


__all__ = ["LEVERS", "Lever", "LeverSettings", "Plan", "levers", "plans"]
