"""The vendor's advice as levers: which levels of which factor each one touches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import polars as pl

from senderscore_nb.drivers.factors import FactorEffects
from senderscore_nb.drivers.factors_estimate import Estimate
from senderscore_nb.errors import SenderScoreError, did_you_mean

UNENGAGED = "unengaged"
"""The column that says whether a contact counts as unengaged."""

STATUSES: tuple[str, ...] = ("supported", "no_effect_shown", "too_few", "not_in_data")
"""Whether the data supports a lever. `supported`: what it touches differs, for the worse, by more
than chance. `no_effect_shown`: it does not. `too_few`: there are not enough such enrollments to
tell. `not_in_data`: the data does not say."""


@dataclass(frozen=True)
class Lever:
    """A piece of advice.

    Attributes:
        key: Its name on the command line.
        advice: What to do, as a sentence without a full stop.
        factor: The column that it looks at.
        kind: Whether enrollments are changed or not made at all.
        touches: The level that it is about; None where the data decides which levels are bad.
        target: The level that enrollments are moved to; None where the data decides.
    """

    key: str
    advice: str
    factor: str
    kind: Literal["change", "suppress"]
    touches: str | None = None
    target: str | None = None


LEVERS: tuple[Lever, ...] = (
    Lever(
        "tokens", "Use personalization tokens", "personalization_tokens", "change",
        "none", "one or more",
    ),
    Lever("segments", "Leave out segments that do worse", "segment", "suppress"),
    Lever("content", "Use the templates that do better", "template_id", "change"),
    Lever("sequences", "Use the sequences that do better", "sequence_id", "change"),
    Lever(
        "unengaged", "Leave out contacts that do not engage", UNENGAGED, "suppress", "yes"
    ),
    Lever(
        "hard-bounced", "Leave out contacts that bounced before", "previously_bounced",
        "suppress", "yes",
    ),
    Lever("opted-out", "Leave out contacts that opted out", "opted_out", "suppress", "yes"),
    Lever("source", "Leave out contact sources that bounce more", "contact_source", "suppress"),
)  # fmt: skip


def lever_named(key: str) -> Lever:
    """A lever by its name.

    Raises:
        SenderScoreError: There is none of that name.
    """
    for lever in LEVERS:
        if lever.key == key:
            return lever
    raise SenderScoreError(
        f"There is no lever {key!r}.", hint=did_you_mean(key, [one.key for one in LEVERS])
    )


@dataclass(frozen=True)
class Plan:
    """What a lever would do.

    Attributes:
        lever: The advice.
        status: One of `STATUSES`.
        reason: Why, as a sentence.
        touched: The levels that are changed or left out.
        targets: By touched level, the levels that its enrollments are moved to.
        estimates: By outcome, the estimate of the factor; only those that were estimated.
    """

    lever: Lever
    status: str
    reason: str
    touched: tuple[str, ...]
    targets: Mapping[str, tuple[str, ...]]
    estimates: Mapping[str, Estimate]


def plan_for(lever: Lever, found: FactorEffects, frame: pl.LazyFrame) -> Plan:
    """What a lever would do, by the effects that were found.

    A level is bad where it is replied to less, or bounces more, by more than chance. Enrollments
    of a bad level are moved to the levels that are better by more than chance where there are any,
    else to all that are not bad; for templates, to those of the same sequences.

    Args:
        lever: The advice.
        found: Effects of the lever's factor.
        frame: The enrollments.
    """
    estimates = {e.outcome: e for e in found.estimates if e.factor == lever.factor}
    usable = {name: e for name, e in estimates.items() if e.status == "estimated"}
    if not estimates:
        return _without(lever, "not_in_data", f"The data has no {_what(lever)}.")
    if not usable:
        return _without(lever, *_why(lever, tuple(estimates.values())))
    effects = found.effects.filter(pl.col("factor") == lever.factor)
    rows = list(effects.iter_rows(named=True))
    bad = tuple(dict.fromkeys(row["level"] for row in rows if _worse(row)))
    good = tuple(dict.fromkeys(row["level"] for row in rows if _better(row)))
    labels = next(iter(usable.values())).labels
    if lever.touches is not None:
        if not all(lever.touches in e.labels for e in usable.values()):
            reason = f"Too few enrollments {_about(lever)} to tell."
            return _without(lever, "too_few", reason)
        # Of two levels only one has a row; where it is the good one, the other is bad.
        shown = lever.touches in bad or (lever.target in good and lever.touches not in good)
        bad = (lever.touches,)
    else:
        bad = tuple(label for label in bad if label not in good)
        shown = bool(bad)
    status = "supported" if shown else "no_effect_shown"
    targets = _targets(lever, bad, good, labels, frame) if lever.kind == "change" else {}
    return Plan(lever, status, _reason(lever, rows, status), bad, targets, usable)


def _worse(row: Mapping[str, Any]) -> bool:
    return bool(row["certain"]) and (row["difference_pp"] < 0) == (row["outcome"] == "replied")


def _better(row: Mapping[str, Any]) -> bool:
    return bool(row["certain"]) and (row["difference_pp"] > 0) == (row["outcome"] == "replied")


def _without(lever: Lever, status: str, reason: str) -> Plan:
    return Plan(lever, status, reason, (), {}, {})


def _what(lever: Lever) -> str:
    column = "sends_since_engagement" if lever.factor == UNENGAGED else lever.factor
    return f"column {column}"


def _about(lever: Lever) -> str:
    return {
        "tokens": "without tokens, or with them,",
        "unengaged": "of contacts that do not engage",
        "hard-bounced": "of contacts known to have bounced before",
        "opted-out": "of contacts known to have opted out",
    }.get(lever.key, "of each kind")


def _why(lever: Lever, estimates: tuple[Estimate, ...]) -> tuple[str, str]:
    statuses = {e.status for e in estimates}
    if statuses <= {"unknown"}:
        return "not_in_data", "The data does not know the outcomes."
    if "aliased" in statuses:
        said = "It does not vary within a sender's sequence, so it cannot be told from these."
        return "too_few", said
    if "same_as" in statuses:
        return "too_few", "It is the same as another factor under another name."
    return "too_few", f"Too few enrollments {_about(lever)} to tell."


def _reason(lever: Lever, rows: list[dict[str, Any]], status: str) -> str:
    if status == "no_effect_shown":
        return "What it is about differs by no more than chance would make it."
    from senderscore_nb.drivers.factors_words import effect_sentence

    telling = [row for row in rows if row["certain"]]
    strongest = max(telling, key=lambda row: abs(row["difference_pp"]))
    if lever.touches is None:
        worse = [row for row in telling if _worse(row)]
        strongest = max(worse, key=lambda row: abs(row["difference_pp"]))
    return effect_sentence(strongest)


def _targets(
    lever: Lever,
    bad: tuple[str, ...],
    good: tuple[str, ...],
    labels: tuple[str, ...],
    frame: pl.LazyFrame,
) -> dict[str, tuple[str, ...]]:
    if lever.target is not None:
        return dict.fromkeys(bad, (lever.target,))
    beside = _beside(lever, frame) if lever.factor == "template_id" else {}
    targets = {}
    for label in bad:
        near = [n for n in labels if n not in bad and (not beside or n in beside.get(label, ()))]
        best = [n for n in near if n in good]
        if best or near:
            targets[label] = tuple(best or near)
    return targets


def _beside(lever: Lever, frame: pl.LazyFrame) -> dict[str, set[str]]:
    """By template, those of the same sequences."""
    pairs = frame.select(pl.col(lever.factor).cast(pl.String), "sequence_id").unique().collect()
    together = pairs.join(pairs, on="sequence_id", suffix="_other")
    beside: dict[str, set[str]] = {}
    for one, other in together.select(lever.factor, f"{lever.factor}_other").iter_rows():
        if one is not None and other is not None and one != other:
            beside.setdefault(one, set()).add(other)
    return beside
