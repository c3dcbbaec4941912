"""One factor and one outcome: counts, model, differences of its levels, and what is to be said."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from senderscore_nb.drivers.factors_cells import Cells, Levels, pooled, suspicion
from senderscore_nb.drivers.factors_columns import UNKNOWN
from senderscore_nb.drivers.factors_contrasts import (
    Contrast,
    Error,
    Joint,
    Standard,
    joint_test,
)
from senderscore_nb.drivers.factors_fit import Array, Fit, fit

STATUSES: tuple[str, ...] = ("estimated", "constant", "too_few", "aliased", "same_as", "unknown")
"""`constant`: one level only. `too_few`: fewer than two levels have enough enrollments. `aliased`:
it does not vary within sender and sequence. `same_as`: another factor under another name.
`unknown`: the data does not know the outcome."""

_WITHIN = 0.005  # share of the information that must be left within strata
_BASELINES = ("none", "no", "0")
_EDGES = (0.1, 0.9)


@dataclass(frozen=True)
class LevelEffect:
    """A level, or a pair of values of a number, with its contrast."""

    level: str
    against: str
    n: float
    events: float
    contrast: Contrast | None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class CurvePoint:
    """A number's value with its standardised rate."""

    value: float
    n: float
    events: float
    rate: float
    error: Error


@dataclass(frozen=True)
class Estimate:
    """All that is known of one factor and one outcome.

    Attributes:
        factor: Its name.
        outcome: `replied` or `bounced`.
        status: One of `STATUSES`.
        levels: Differences of levels.
        joint: The test of all levels at once.
        curve: Of a number.
        labels: Of the model's levels, in the order of `log_odds`.
        log_odds: Of each level, from the mean of all.
        spread: Their covariance.
        notes: What is to be said.
    """

    factor: str
    outcome: str
    status: str
    levels: tuple[LevelEffect, ...] = ()
    joint: Joint | None = None
    curve: tuple[CurvePoint, ...] = ()
    labels: tuple[str, ...] = ()
    log_odds: Array = field(default_factory=lambda: np.empty(0))
    spread: Array = field(default_factory=lambda: np.empty((0, 0)))
    notes: tuple[str, ...] = ()


def estimate(
    cells: Cells, outcome: str, *, denominator: str, least: int, least_events: float
) -> Estimate:
    """Fit one factor to one outcome.

    Args:
        cells: Its counts.
        outcome: `replied` or `bounced`.
        denominator: What replies are counted among.
        least: Enrollments that a level needs.
        least_events: Events that a level must be expected to have.
    """
    factor = cells.coded.name
    levels = pooled(cells, outcome, denominator, least=least, least_events=least_events)
    notes = [*cells.coded.notes, *levels.notes]
    reported = sum(levels.enough)
    if len(levels.labels) < 2 or reported < 2:
        one = sum(size > 0 for size in levels.block.n.sum((0, 1))) < 2
        return Estimate(factor, outcome, "constant" if one else "too_few", notes=tuple(notes))
    if warning := suspicion(levels):
        notes.append(warning)
    fitted = fit(levels.block)
    joint = joint_test(levels.block, fitted)
    if joint.directions == 0 or joint.known < _WITHIN:
        return Estimate(factor, outcome, "aliased", notes=tuple(notes))
    standard = Standard(levels.block, fitted)
    effects = _numbers(levels, standard) if levels.values is not None else _levels(levels, standard)
    log_odds, spread = _of_levels(levels, fitted, effects)
    return Estimate(
        factor=factor,
        outcome=outcome,
        status="estimated",
        levels=tuple(effects),
        joint=joint,
        curve=tuple(_curve(levels, standard)) if levels.values is not None else (),
        labels=levels.labels,
        log_odds=log_odds,
        spread=spread,
        notes=tuple(notes),
    )


def _levels(levels: Levels, standard: Standard) -> list[LevelEffect]:
    sizes, events = standard.size.sum(0), levels.block.events.sum((0, 1))
    baseline = _baseline(levels.labels, sizes)
    shown = [i for i in range(len(levels.labels)) if levels.enough[i] and i != baseline]
    other = "all others" if baseline is None else levels.labels[baseline]
    return [
        LevelEffect(
            levels.labels[i],
            other,
            float(sizes[i]),
            float(events[i]),
            contrast := standard.level(i),
            _level_notes(contrast, float(events[i]), float(sizes[i])),
        )
        for i in shown
    ]


def _baseline(labels: tuple[str, ...], sizes: Array) -> int | None:
    """Of two levels, the one that the other is held against; None where there are more."""
    if len(labels) != 2:
        return None
    if UNKNOWN in labels:
        return 1 - labels.index(UNKNOWN)
    named = [i for i, label in enumerate(labels) if label in _BASELINES]
    return named[0] if named else int(np.argmax(sizes))


def _level_notes(contrast: Contrast | None, events: float, n: float) -> tuple[str, ...]:
    if contrast is None:
        return ("nowhere beside another level, so it cannot be compared",)
    notes = []
    if events in (0, n):
        notes.append(f"{'none' if events == 0 else 'all'} of them: a weak prior keeps it finite")
    if not contrast.error.clustered:
        who = f"{contrast.senders} sender{'' if contrast.senders == 1 else 's'}"
        notes.append(
            f"too few senders ({who}) to take the error from how they differ: the interval takes "
            "enrollments as independent"
        )
    if contrast.share < 0.5:
        notes.append(f"compared where it is used: {contrast.share:.0%} of enrollments")
    return tuple(notes)


def _numbers(levels: Levels, standard: Standard) -> list[LevelEffect]:
    """The upper tenth's border against the lower tenth's, and what is unknown against the rest."""
    values = np.asarray(levels.values)
    sizes, events = standard.size.sum(0), levels.block.events.sum((0, 1))
    share = np.cumsum(sizes[: len(values)]) / max(sizes[: len(values)].sum(), 1.0)
    low, high = (int(np.searchsorted(share, edge).clip(0, len(values) - 1)) for edge in _EDGES)
    result = []
    if high > low:
        known = slice(0, len(values))
        contrast = standard.between(high, low)
        result.append(
            LevelEffect(
                f"{values[high]:.3g}", f"{values[low]:.3g}", float(sizes[known].sum()),
                float(events[known].sum()), contrast, _level_notes(contrast, 1.0, 2.0),
            )
        )  # fmt: skip
    if len(levels.labels) > len(values) and levels.enough[-1]:
        unknown = standard.level(len(values))
        notes = _level_notes(unknown, float(events[-1]), float(sizes[-1]))
        result.append(
            LevelEffect(UNKNOWN, "all others", float(sizes[-1]), float(events[-1]), unknown, notes)
        )
    return result


def _curve(levels: Levels, standard: Standard) -> list[CurvePoint]:
    values = np.asarray(levels.values)
    sizes, events = standard.size.sum(0), levels.block.events.sum((0, 1))
    points = []
    for i, value in enumerate(values):
        if sizes[i] > 0:
            rate, error = standard.whole_rate(i)
            points.append(CurvePoint(float(value), float(sizes[i]), float(events[i]), rate, error))
    return points


def _of_levels(levels: Levels, fitted: Fit, effects: list[LevelEffect]) -> tuple[Array, Array]:
    """Each level's log-odds from the mean of all, and their covariance.

    The covariance is the model's, widened for the levels whose error by senders is larger.
    """
    design, place = levels.block.design, levels.block.of_factor
    sizes = levels.block.n.sum((0, 1))
    centre = np.eye(len(sizes)) - sizes[None, :] / sizes.sum()
    turn = centre @ design
    model = turn @ fitted.model[place, place] @ turn.T
    wider = np.ones(len(sizes))
    for effect in effects:
        if effect.contrast is None or effect.level not in levels.labels:
            continue
        i = levels.labels.index(effect.level)
        error = effect.contrast.log_odds_error
        if error.clustered and error.alone > 0:
            wider[i] = max(1.0, error.half(0.95) / 1.96 / error.alone)
    if len(sizes) == 2:
        wider[:] = wider.max()
    return turn @ fitted.beta[place], model * wider[:, None] * wider[None, :]
