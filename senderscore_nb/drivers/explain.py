"""A change of score, split exactly into mix, reply rates and bounce rates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import polars as pl

from senderscore_nb.change import Window
from senderscore_nb.contract import MEASURES
from senderscore_nb.drivers.explain_frames import (
    Sides,
    cells_of,
    changes_of,
    kinds_frame,
    numbered,
    parts_frame,
    places_of,
    pools_of,
)
from senderscore_nb.drivers.explain_points import explain_counts
from senderscore_nb.errors import SelectionError, did_you_mean
from senderscore_nb.policy import DEFAULT_POLICY, ScoringPolicy, load_policy
from senderscore_nb.score import BY, parse_by
from senderscore_nb.sums import PERIODS


@dataclass(frozen=True)
class Explanation:
    """Changes of score and what they are made of.

    Points are on the policy's scale, fractions 0–1. `certain` says whether a change or a part is
    more than noise, judged over all rows of the frame at once (Benjamini & Hochberg 1995). A group
    without a change has no rows in `kinds` and `parts`; its `state` says why.

    Attributes:
        changes: One row a group: the `within` keys; `state` (see
            `explain_frames.STATES`); `ended_before`,
            `ended`; `score_before`, `score`, `change`, `change_low`, `change_high`, `certain`;
            `band_before`, `band`; `reply_rate_before`, `reply_rate`, `bounce_rate_before`,
            `bounce_rate`. Scores are given whatever the minimum.
        kinds: One row a group and kind: the `within` keys, `kind` (`mix`, `reply_rate` or
            `bounce_rate`), `part`, `part_low`, `part_high`, `certain`. The parts of a group add up
            to its change.
        parts: One row a group, `by` key and kind: the keys, `kind`, `part`, `part_low`,
            `part_high`, `certain`; `ended_before`, `ended`; `share_before`, `share` (of what the
            group ended); `reply_rate_before`, `reply_rate`, `bounce_rate_before`, `bounce_rate`,
            null where there is none. The parts of a kind add up to the kind's.
        by: Columns that the change is split by.
        within: Columns that a change is of; none for one change.
        policy: How both sides were scored.
        confidence: Of the intervals.
    """

    changes: pl.DataFrame
    kinds: pl.DataFrame
    parts: pl.DataFrame
    by: tuple[str, ...]
    within: tuple[str, ...]
    policy: ScoringPolicy
    confidence: float

    def of(self, **keys: object) -> Explanation:
        """The explanation of the groups with these `within` keys.

        Raises:
            SelectionError: A key that the changes are not within.
        """
        for name in keys:
            if name not in self.within:
                raise SelectionError(
                    f"The changes are not within {name!r}.", hint=did_you_mean(name, self.within)
                )
        tests = [pl.col(name).eq_missing(pl.lit(value)) for name, value in keys.items()]
        kept = pl.all_horizontal(tests) if tests else pl.lit(value=True)
        changes, kinds, parts = (
            frame.filter(kept) for frame in (self.changes, self.kinds, self.parts)
        )
        return replace(self, changes=changes, kinds=kinds, parts=parts)


def explain_change(
    tallies: pl.DataFrame,
    policy: ScoringPolicy | str = DEFAULT_POLICY,
    *,
    before: Window,
    after: Window,
    by: str | Sequence[str] = "sequence",
    within: str | Sequence[str] = (),
    roster: pl.DataFrame | None = None,
    confidence: float = 0.95,
) -> Explanation:
    """Why the score changed from one window to another.

    See `explain_difference` for the method. The windows may share days: what they share pulls both
    sides alike, and the intervals allow for it.

    Args:
        tallies: As `tally` returns them, with `day`.
        policy: A policy, a preset's name or the path of a TOML file.
        before: The window that the change starts from.
        after: The window that it leads to.
        by: What to split by: `sequence`, `user`, `team` or a key column of the tallies.
        within: Whose changes: `user` for each sender, `team` for each team; none for one change of
            everything that the tallies hold.
        roster: Needed for teams; says who has no paid seat.
        confidence: Of every interval.

    Raises:
        ContractError: A column is missing.
        SelectionError: Teams are asked for without a roster, or split by what they are within.
        PolicyError: The policy is invalid.
    """
    common = Window(max(before.start, after.start), min(before.end, after.end))
    return explain_difference(
        before.of(tallies),
        after.of(tallies),
        policy,
        by=by,
        within=within,
        shared=common.of(tallies),
        roster=roster,
        confidence=confidence,
    )


def explain_difference(
    before: pl.DataFrame,
    after: pl.DataFrame,
    policy: ScoringPolicy | str = DEFAULT_POLICY,
    *,
    by: str | Sequence[str] = "sequence",
    within: str | Sequence[str] = (),
    shared: pl.DataFrame | None = None,
    roster: pl.DataFrame | None = None,
    confidence: float = 0.95,
) -> Explanation:
    """Why two tallies have different scores: two periods, a sender and the team, two teams.

    The change of each of the two rates is split first, by sequence: mix, reply rate and bounce
    rate, with Das Gupta's (1993) product of factors, which is the Shapley value of the factors and
    for two of them Kitagawa's (1955) split. Each sequence's mix part is measured against the
    average rate. The parts of a rate then go through its point curve by Aumann–Shapley pricing
    (Aumann & Shapley 1974, Values of Non-Atomic Games; Sun & Sundararajan 2011, Axiomatic
    Attribution for Multilinear Functions): the rate moves in a straight line from before to after,
    all parts of it at an even pace, and whatever slope the curve has on the way is earned by the
    parts in proportion. Along a line this integral is exact, kink by kink; a jump is shared as
    along ever steeper curves, but no part of it is larger than itself. The parts add up to the
    change; a sequence that is on one side only has changed the mix and nothing else.

    The intervals are the first-order reliability method's, over the infinitesimal jackknife's
    covariances (see `explain_noise`); docs/validation.md says how often they cover the truth.

    Args:
        before: Tallies of the side that the change starts from.
        after: Tallies of the side that it leads to.
        policy: A policy, a preset's name or the path of a TOML file.
        by: What to split by: `sequence`, `user`, `team` or a key column of the tallies.
        within: Whose changes; none for one change of everything.
        shared: Tallies of the enrollments that both sides hold, as a sender's are in the team's.
        roster: Needed for teams; says who has no paid seat.
        confidence: Of every interval.

    Raises:
        ContractError: A column is missing.
        SelectionError: Teams are asked for without a roster, or split by what they are within.
        PolicyError: The policy is invalid.

    >>> import datetime as dt
    >>> def counts(*rows):
    ...     frame = pl.DataFrame(
    ...         rows, schema=["sequence_id", "ended", "replied", "bounced"], orient="row")
    ...     none = pl.lit(0, pl.Int64)
    ...     return frame.with_columns(user_id=pl.lit("7"), day=dt.date(2026, 3, 2), opened=none,
    ...         clicked=none, meetings=none, unsubscribed=none)
    >>> why = explain_difference(counts(("a", 800, 80, 0), ("b", 200, 4, 0)),
    ...                          counts(("a", 200, 20, 0), ("b", 800, 16, 0)))
    >>> why.kinds.select("kind", pl.col("part").round(3), "certain").rows()
    [('mix', -19.333, True), ('reply_rate', 0.0, False), ('bounce_rate', 0.0, False)]
    """
    policy = load_policy(policy)
    inside = parse_by(within)
    keys = _split_by(by, inside, before)
    sides = Sides(before, after, before.head(0) if shared is None else shared)
    if "team" in (*keys, *inside):
        sides = sides.with_team(roster)
    changes = changes_of(sides, policy, inside, roster, confidence)
    cells = cells_of(sides, inside, keys)
    groups, rows = numbered(cells, changes, inside, keys)
    found = explain_counts(
        pools_of(rows), places_of(rows), groups.height, policy, confidence=confidence
    )
    kinds = kinds_frame(found.kinds, groups, confidence)
    parts = parts_frame(found.rows, rows, (*inside, *keys), policy, confidence)
    return Explanation(changes, kinds, parts, keys, inside, policy, confidence)


def _split_by(
    by: str | Sequence[str], inside: Sequence[str], tallies: pl.DataFrame
) -> tuple[str, ...]:
    """Columns to split by: words of `score`, or key columns of the tallies."""
    words = by.split(",") if isinstance(by, str) else list(by)
    keys = tuple(dict.fromkeys(BY.get(w.strip(), w.strip()) for w in words))
    known = [*(c for c in tallies.columns if c not in MEASURES), "team", *PERIODS]
    for name in keys:
        if name not in known:
            raise SelectionError(
                f"A change cannot be split by {name!r}.", hint=did_you_mean(name, known)
            )
        if name in inside:
            raise SelectionError(
                f"A change within each {name!r} cannot be split by it.",
                hint="Split by something else, such as the sequence.",
            )
    return keys
