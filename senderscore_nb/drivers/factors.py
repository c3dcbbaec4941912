"""What goes with replies and bounces, given sender, sequence and time: association, never cause."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import polars as pl

from senderscore_nb.drivers.factors_alike import alike
from senderscore_nb.drivers.factors_cells import count
from senderscore_nb.drivers.factors_columns import HOW_MANY, Coded, choose_factors, code_factor
from senderscore_nb.drivers.factors_estimate import Estimate, estimate
from senderscore_nb.drivers.factors_fit import Ints
from senderscore_nb.drivers.factors_frames import frames
from senderscore_nb.drivers.factors_past import known_past
from senderscore_nb.drivers.factors_rows import Rows, Strata, codes_of, settled_rows, strata_of
from senderscore_nb.errors import FactorError, did_you_mean
from senderscore_nb.policy import DEFAULT_POLICY, ScoringPolicy, load_policy

OUTCOMES: tuple[str, ...] = ("replied", "bounced")

_SAMPLED = 200_000  # rows by which factors are compared with each other
_ASSOCIATION = (
    "Associations: senders choose whom they write to and what, so a difference need not be due to "
    "the factor."
)


@dataclass(frozen=True)
class FactorSettings:
    """How factors are looked at.

    Attributes:
        confidence: Of every interval.
        false_discoveries: The share of what is called certain that may be chance.
        least_enrollments: That a level needs to be reported by itself.
        least_events: Events that a level must be expected to have.
        most_levels: The commonest levels that are kept apart; at least 2.
        through: The newest day that the data knows of; found unless given.
        settling_days: Age of a cohort from which its outcomes are taken as known; the 99th
            percentile of how long runs took unless given.
    """

    confidence: float = 0.95
    false_discoveries: float = 0.05
    least_enrollments: int = 100
    least_events: float = 5.0
    most_levels: int = 24
    through: dt.date | None = None
    settling_days: int | None = None


@dataclass(frozen=True)
class FactorEffects:
    """What was found.

    Attributes:
        effects: One row for each outcome, factor and level: `outcome`, `factor`, `level`,
            `against` (what it is held against), `enrollments`, `events`, `senders`; `rate` as it
            was; `adjusted_rate` and `against_rate`, for the same enrollments; `difference_pp` with
            `_low` and `_high` in percentage points; `odds_ratio` with `_low` and `_high`;
            `p_value`, `q_value`, `certain`; `errors`; `notes`.
        tests: One row for each outcome and factor: `status`, `levels`, `f_value`, `p_value`,
            `q_value`, `certain`, `notes`.
        curves: Of numbers: `value`, `enrollments`, `events`, `rate`, `adjusted_rate`,
            `adjusted_low`, `adjusted_high`.
        estimates: What the frames are made of.
        rows: Enrollments that were looked at.
        notes: What holds for all of it.
    """

    effects: pl.DataFrame
    tests: pl.DataFrame
    curves: pl.DataFrame
    estimates: tuple[Estimate, ...]
    rows: int
    notes: tuple[str, ...]

    def of(self, factor: str, outcome: str) -> Estimate | None:
        """The estimate of a factor and an outcome; None where it was not asked for."""
        found = (e for e in self.estimates if (e.factor, e.outcome) == (factor, outcome))
        return next(found, None)


def factor_effects(
    enrollments: pl.DataFrame | pl.LazyFrame,
    policy: ScoringPolicy | str = DEFAULT_POLICY,
    *,
    factors: Sequence[str] | None = None,
    outcome: str | None = None,
    given: Sequence[str] = (),
    settings: FactorSettings | None = None,
    progress: Callable[[str], None] | None = None,
) -> FactorEffects:
    """What goes with replies and bounces, factor by factor.

    Each factor has a binomial model of its own: the log-odds of the outcome are those of the
    sender in the sequence, a smooth function of the week of enrollment, and the factor's. A level
    is held against all others of the factor where both occur; a number with more than eight values
    is a natural cubic spline. Errors are by senders (jackknife, Student's t with Satterthwaite's
    degrees of freedom) where enough senders use it, else enrollments count as independent, which
    `notes` says. Only cohorts are looked at whose outcomes are known.

    Args:
        enrollments: The contract's columns. A lazy frame is read factor by factor.
        policy: Whose counting rules count.
        factors: Columns; every column that can be a factor unless given. `sequence_id` may be
            named, and is then compared within senders.
        outcome: `replied` or `bounced`; both unless given.
        given: Columns to compare within, beside sender and sequence.
        settings: Levels, intervals, cohorts.
        progress: Called with a line about each factor.

    Raises:
        FactorError: A column is not there, or follows the outcome.
        ContractError: A column of the contract is missing.

    >>> from senderscore_nb.sample import simulate
    >>> found = factor_effects(simulate(1, volume=0.2), factors=["personalization_tokens"])
    >>> found.effects.filter(pl.col("outcome") == "replied").select("level", "against").row(0)
    ('one or more', 'none')
    """
    settings = settings or FactorSettings()
    policy = load_policy(policy)
    outcomes = _outcomes(outcome)
    frame, past = known_past(enrollments.lazy())
    schema = frame.collect_schema()
    asked = None if factors is None else [*factors, *given]
    names, left = choose_factors(schema, asked)
    if factors is not None:
        names = list(dict.fromkeys(factors))
    rows = settled_rows(
        frame, policy.counting, through=settings.through, settling_days=settings.settling_days
    )
    work = _Work(frame, rows, policy, settings, outcomes, tuple(given))
    found: list[Estimate] = []
    sampled: dict[str, Ints] = {}
    for name in _with_how_many(names, factors):
        if progress:
            progress(f"Looking at {name} …")
        coded = work.code(name)
        sampled[name] = coded.codes[:: max(1, rows.count // _SAMPLED)]
        found += work.estimates(coded)
    found = _beside(found, sampled)
    effects, tests, curves = frames(
        found, confidence=settings.confidence, false_discoveries=settings.false_discoveries
    )
    past = tuple(note for note in past if note.split()[0] in names)
    notes = (*rows.notes, *work.notes(), *past, *left, _ASSOCIATION)
    return FactorEffects(effects, tests, curves, tuple(found), rows.count, notes)


def _outcomes(outcome: str | None) -> tuple[str, ...]:
    if outcome is None:
        return OUTCOMES
    if outcome not in OUTCOMES:
        raise FactorError(f"There is no outcome {outcome!r}.", hint=did_you_mean(outcome, OUTCOMES))
    return (outcome,)


def _with_how_many(names: Sequence[str], asked: Sequence[str] | None) -> list[str]:
    """How many tokens is a question beside whether there are any, where all factors are asked."""
    result = list(names)
    if asked is None and "personalization_tokens" in result:
        result.insert(result.index("personalization_tokens") + 1, HOW_MANY)
    return result


class _Work:
    """The rows of one call, and the strata of each kind."""

    def __init__(
        self,
        frame: pl.LazyFrame,
        rows: Rows,
        policy: ScoringPolicy,
        settings: FactorSettings,
        outcomes: tuple[str, ...],
        given: tuple[str, ...],
    ) -> None:
        """Strata are made when they are first needed."""
        self.frame, self.rows, self.policy = frame, rows, policy
        self.settings, self.outcomes, self.given = settings, outcomes, given
        self._strata: dict[bool, Strata] = {}

    def column(self, name: str) -> pl.Series:
        """A column of the rows that are looked at."""
        values = self.frame.select(name).collect().to_series()
        return values.filter(pl.Series(self.rows.kept))

    def code(self, name: str) -> Coded:
        """A factor's codes by row."""
        column = "personalization_tokens" if name == HOW_MANY else name
        return code_factor(name, self.column(column), most_levels=self.settings.most_levels)

    def strata(self, *, with_sequence: bool) -> Strata:
        """Sender × sequence × given, or without the sequence."""
        if with_sequence not in self._strata:
            parts = [self.rows.sequence] if with_sequence else []
            parts += [codes_of(self.column(name))[0] for name in self.given]
            self._strata[with_sequence] = strata_of(self.rows, parts)
        return self._strata[with_sequence]

    def estimates(self, coded: Coded) -> list[Estimate]:
        """The factor with each outcome."""
        if self.rows.count == 0 or not coded.labels:
            status = "too_few" if coded.labels or self.rows.count == 0 else "constant"
            return [Estimate(coded.name, outcome, status) for outcome in self.outcomes]
        cells = count(self.rows, coded, self.strata(with_sequence=coded.name != "sequence_id"))
        denominator = self.policy.counting.reply_denominator
        return [
            estimate(
                cells,
                outcome,
                denominator=denominator,
                least=self.settings.least_enrollments,
                least_events=self.settings.least_events,
            )
            if self._known(outcome)
            else Estimate(coded.name, outcome, "unknown")
            for outcome in self.outcomes
        ]

    def _known(self, outcome: str) -> bool:
        known = self.rows.known
        delivered = self.policy.counting.reply_denominator == "delivered"
        return known[outcome] and (outcome == "bounced" or not delivered or known["bounced"])

    def notes(self) -> tuple[str, ...]:
        """How enrollments are compared."""
        if self.rows.count == 0:
            return ()
        within = "".join(f", {name}" for name in self.given)
        strata = self.strata(with_sequence=True)
        notes = [
            f"Compared within sender, sequence{within} and along a smooth curve of time: "
            f"{self.rows.senders} senders, {len(strata.sender)} strata."
        ]
        if strata.pooled:
            notes.append(
                f"{strata.pooled:,} enrollments in small sequences are compared within sender only."
            )
        return tuple(notes)


def _beside(found: Sequence[Estimate], codes: dict[str, Ints]) -> list[Estimate]:
    """Estimates with notes about the factors that say the same."""
    together = alike(codes)
    result = []
    for one in found:
        if (twin := together.same.get(one.factor)) is not None:
            status = one.status if one.status == "constant" else "same_as"
            note = f"the same as {twin}, under other names"
            result.append(Estimate(one.factor, one.outcome, status, notes=(note,)))
            continue
        notes = list(one.notes)
        if one.status == "aliased":
            notes.append("does not vary within sender and sequence, so it cannot be told from them")
        if others := together.close.get(one.factor):
            notes.append(f"goes hand in hand with {', '.join(others)}: one may stand for the other")
        result.append(replace(one, notes=tuple(notes)))
    return result
