"""Every kind of suggestion beside the present policy."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import polars as pl

from senderscore_nb.errors import SenderScoreError
from senderscore_nb.experiment.suggest import suggest_natural_breaks, suggest_quantiles
from senderscore_nb.experiment.suggest_different import suggest_different
from senderscore_nb.experiment.suggest_stable import suggest_costs, suggest_stable
from senderscore_nb.experiment.suggestion import Scores, Suggestion
from senderscore_nb.policy import ScoringPolicy, load_policy

_KINDS: tuple[Callable[[ScoringPolicy, pl.DataFrame], Suggestion], ...] = (
    suggest_stable,
    suggest_costs,
    suggest_different,
    suggest_natural_breaks,
    suggest_quantiles,
)

_SCHEMA = {
    "purpose": pl.String,
    "policy": pl.String,
    "edges": pl.String,
    "bands": pl.Int64,
    "flip_rate": pl.Float64,
    "spread": pl.Float64,
    "largest_share": pl.Float64,
    "kappa": pl.Float64,
    "moved": pl.Int64,
    "n": pl.Int64,
    "reason": pl.String,
}


def suggestions(policy: ScoringPolicy | str, scored: pl.DataFrame) -> list[Suggestion]:
    """A suggestion for each purpose that needs no further word from the user, the present first.

    Purposes that these senders cannot serve are left out.

    Args:
        policy: The present policy.
        scored: As `senderscore_nb.score.score` returns it under that policy, one row a sender.

    Raises:
        SenderScoreError: Fewer than two senders have a score.
    """
    policy = load_policy(policy)
    scores = Scores.of(policy, scored)
    found = [Suggestion("at present", policy, "What is in force.", scores.costs(policy))]
    for suggest in _KINDS:
        try:
            found.append(suggest(policy, scored))
        except SenderScoreError:
            continue
    return found


def suggestion_table(found: Iterable[Suggestion]) -> pl.DataFrame:
    """Suggestions as rows: `purpose`, `policy`, `edges` (text), their costs, `reason`."""
    rows = [
        {
            "purpose": one.purpose,
            "policy": one.policy.name,
            "edges": ", ".join(f"{b.name} {b.lower:g}" for b in one.policy.bands[1:]),
            "bands": len(one.policy.bands),
            **{name: getattr(one.costs, name) for name in _COSTS},
            "reason": one.reason,
        }
        for one in found
    ]
    return pl.DataFrame(rows, schema=_SCHEMA)


_COSTS = ("flip_rate", "spread", "largest_share", "kappa", "moved", "n")
