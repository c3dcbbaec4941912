"""All policies that agree with what was read off the vendor's report, and one of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from senderscore_nb.errors import ContractError
from senderscore_nb.experiment.calibrate_assumptions import Assumptions
from senderscore_nb.experiment.calibrate_contradictions import frame_of, resolve
from senderscore_nb.experiment.calibrate_evidence import (
    Demands,
    Evidence,
    demands_of,
    essential,
    evidence_of,
)
from senderscore_nb.experiment.calibrate_next import NEXT, Question, next_readings
from senderscore_nb.experiment.calibrate_policy import Fitted, central, policy_of, simplest
from senderscore_nb.experiment.calibrate_program import Program, program_of
from senderscore_nb.experiment.calibrate_ranges import (
    RANGES,
    Explored,
    explore,
    thresholds,
)
from senderscore_nb.experiment.calibrate_words import described, source_of
from senderscore_nb.policy import DEFAULT_POLICY, ScoringPolicy, load_policy

CURVES = pl.Schema(
    {
        "curve": pl.Enum(["reply_points", "bounce_points"]),
        "rate": pl.Float64(),
        "low": pl.Float64(),
        "high": pl.Float64(),
        "fitted": pl.Float64(),
        "read": pl.Boolean(),
    }
)


@dataclass(frozen=True)
class Calibration:
    """What readings say about how the vendor scores.

    Attributes:
        policy: One policy that agrees, well inside of all that do. It was fitted; it is not the
            vendor's.
        readings: The readings with `used` (False where it contradicts others and was left out) and
            `score` and `fitted_band` under `policy`, in the middle of what the rates can be.
        curves: `curve`, `rate`, `low`, `high`: between which points each curve runs at a rate over
            all policies that agree; `fitted`: those of `policy`; `read`: a reading has that rate.
        ranges: `what`, `band`, `at`, `low`, `high`, `fitted`. An `edge` lies between `low` and
            `high` points. `replies_for_band`: at the bounce rate `at` the band begins at a reply
            rate above `low` and not above `high`. `bounces_for_band`: at the reply rate `at` the
            band is sure up to `low` bounces and out of reach from `high` on. A null limit is one
            that the readings do not set.
        contradictions: `kind`, `lines`, `users`, `said`: sets of readings that no policy under the
            assumptions agrees with.
        next_readings: Whose reading would teach most: see `calibrate_next.NEXT`.
        assumptions: What was taken for granted.
        smallest: Fewer readings left out would not do; False where that was not proven.
        words: All of it in sentences.
    """

    policy: ScoringPolicy
    readings: pl.DataFrame
    curves: pl.DataFrame
    ranges: pl.DataFrame
    contradictions: pl.DataFrame
    next_readings: pl.DataFrame
    assumptions: Assumptions
    smallest: bool
    words: tuple[str, ...]

    @property
    def left_out(self) -> pl.DataFrame:
        """The readings that contradict others and were left out."""
        return self.readings.filter(~pl.col("used"))


@dataclass(frozen=True)
class _Problem:
    """The readings, the assumptions, and how they become a program."""

    evidence: Evidence
    names: tuple[str, ...]
    assumed: Assumptions
    edges: tuple[float | None, ...]

    def demands(self, keep: npt.NDArray[np.bool_]) -> Demands:
        """The demands of some readings that do not follow from others."""
        every = demands_of(self.evidence, len(self.names))
        return essential(every.take(keep[every.reading]))

    def program(self, demands: Demands) -> Program:
        """The program of demands."""
        return program_of(demands, self.names, self.assumed, self.edges)

    def program_under(self, demands: Demands, assumed: Assumptions) -> Program:
        """The program of demands under other assumptions."""
        return program_of(demands, self.names, assumed, self.edges)


def calibrate(
    readings: pl.DataFrame,
    base: ScoringPolicy | str = DEFAULT_POLICY,
    *,
    assumptions: Assumptions | None = None,
    candidates: pl.DataFrame | None = None,
    name: str = "calibrated",
    on: dt.date | None = None,
) -> Calibration:
    """Fit point curves and band edges to readings of the vendor's report: all that agree.

    The score is the sum of reply points, which never fall as replies rise, and bounce points,
    which never rise as bounces rise; a reading says in which band it lies, or its value. The
    policies that agree are the solutions of a linear program, so the limits of each point, edge
    and threshold are found exactly, and so is the smallest set of readings that contradicts
    (additive conjoint measurement: Luce & Tukey 1964, J. Math. Psychol. 1:1; fitted by linear
    programming as in UTA: Jacquet-Lagrèze & Siskos 1982, Eur. J. Oper. Res. 10:151).

    Args:
        readings: As `read_readings` accepts them.
        base: Its counting rules, its minimum and, unless the assumptions name others, its bands
            are taken over. Where no reading has a band its edges are, too.
        assumptions: Scale and form of the curves, and what ranges are asked for.
        candidates: Senders with `user_id`, `ended`, `reply_rate`, `bounce_rate`, as `score`
            returns them, to choose the next reading among.
        name: Of the fitted policy.
        on: The day it is fitted, for its source; today unless given.

    Raises:
        ContractError: There is no reading, or a column is missing.
        PolicyError: The base policy or the assumptions are invalid.
    """
    base = load_policy(base)
    assumed = assumptions or Assumptions()
    names = assumed.names(base)
    if readings.is_empty():
        raise ContractError("There is no reading to fit a policy to.")
    evidence = evidence_of(readings, names)
    problem = _Problem(evidence, names, assumed, _edges(evidence, names, assumed, base))
    conflicts = resolve(evidence, lambda keep: problem.program(problem.demands(keep)))
    used = np.ones(evidence.size, dtype=bool)
    used[list(conflicts.left_out)] = False
    demands = problem.demands(used)
    program = problem.program(demands)
    explored = explore(program, program.widest()[0])
    free = assumed.reply_knots is None, assumed.bounce_knots is None
    simple = simplest(explored, demands, assumed, problem.program_under) if any(free) else explored
    fitted = central(simple, demands, simplify=free)
    source = source_of(int(used.sum()), on or dt.date.today(), assumed, base)
    policy = policy_of(fitted, base, names, name=name, source=source)
    question = Question(explored, demands, problem.program, names)
    asked = pl.DataFrame(schema=NEXT) if candidates is None else next_readings(question, candidates)
    ranges = _ranges(explored, assumed, names, fitted)
    contradictions = frame_of(conflicts, readings, evidence)
    read = _read(readings, used, policy)
    return Calibration(
        policy=policy,
        readings=read,
        curves=_curves(explored, readings, used, fitted),
        ranges=ranges,
        contradictions=contradictions,
        next_readings=asked,
        assumptions=assumed,
        smallest=conflicts.smallest,
        words=described(read, ranges, contradictions, asked, policy, assumed, conflicts.smallest),
    )


def _edges(
    evidence: Evidence, names: Sequence[str], assumed: Assumptions, base: ScoringPolicy
) -> tuple[float | None, ...]:
    """Lower edges that are known: as given, or the base's where no reading has a band."""
    if (evidence.bands >= 0).any():
        return tuple(assumed.edges.get(name) for name in names[1:])
    if len(names) == len(base.bands):
        scale = assumed.most / base.most if base.most else 1.0
        lowers = [band.lower * scale for band in base.bands]
    else:
        lowers = [assumed.most * i / len(names) for i in range(len(names))]
    return tuple(assumed.edges.get(n, lo) for n, lo in zip(names[1:], lowers[1:], strict=True))


def _read(
    readings: pl.DataFrame, used: npt.NDArray[np.bool_], policy: ScoringPolicy
) -> pl.DataFrame:
    reply, bounce = (
        (pl.col(f"{name}_low") + pl.col(f"{name}_high")) / 2
        for name in ("reply_rate", "bounce_rate")
    )
    score = policy.reply_points.points(reply) + policy.bounce_points.points(bounce)
    return readings.with_columns(used=pl.Series(used), score=score).with_columns(
        fitted_band=policy.band(pl.col("score"))
    )


def _curves(
    explored: Explored, readings: pl.DataFrame, used: npt.NDArray[np.bool_], fitted: Fitted
) -> pl.DataFrame:
    frames = []
    for curve, name, knots in (
        (explored.program.reply, "reply", fitted.reply),
        (explored.program.bounce, "bounce", fitted.bounce),
    ):
        limits = readings.filter(pl.Series(used)).select(
            f"{name}_rate_low", f"{name}_rate_high", f"{name}_rate"
        )
        read = np.unique(limits.to_numpy().ravel()) if limits.height else np.empty(0)
        rates = np.unique(np.concatenate([read, curve.knots, knots[:, 0]]))
        low, high = explored.limits(curve, rates)
        points = fitted.reply_at(rates) if name == "reply" else fitted.bounce_at(rates)
        columns = {"rate": rates, "low": low, "high": high, "fitted": points}
        frame = pl.DataFrame({**columns, "read": np.isin(rates, read)})
        frames.append(frame.select(pl.lit(f"{name}_points").alias("curve"), pl.all()))
    return pl.concat(frames).cast(CURVES)


def _ranges(
    explored: Explored, assumed: Assumptions, names: Sequence[str], fitted: Fitted
) -> pl.DataFrame:
    rows: list[tuple[object, ...]] = []
    for band in range(1, len(names)):
        place = explored.program.edge(band)
        limits = float(explored.low[place]), float(explored.high[place])
        rows.append(("edge", names[band], None, *limits, float(fitted.edges[band - 1])))
    for what, name, at, low, high in thresholds(explored, assumed, names):
        edge = fitted.edges[list(names).index(name) - 1]
        begins = fitted.replies_for if what == "replies_for_band" else fitted.bounces_for
        rows.append((what, name, at, low, high, begins(float(at or 0.0), float(edge))))
    return pl.DataFrame(rows, schema=RANGES, orient="row")
