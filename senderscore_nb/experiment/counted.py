"""Tallies under the counting rules of each policy that is tried."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import polars as pl

from senderscore_nb.account import Account
from senderscore_nb.contract import MEASURES
from senderscore_nb.errors import ContractError
from senderscore_nb.policy import CountingRules, ScoringPolicy
from senderscore_nb.selection import Selection
from senderscore_nb.tally import tally

Data: TypeAlias = Account | pl.DataFrame

_COUNTED_BY = tuple(name for name in CountingRules.model_fields if name != "reply_denominator")


def tallies_under(
    data: Data,
    policies: Sequence[ScoringPolicy],
    *,
    selection: Selection | None = None,
    roster: pl.DataFrame | None = None,
) -> list[pl.DataFrame]:
    """The tallies of each policy: what ended, replied and bounced under its own rules.

    Args:
        data: An account, enrollments of the contract, or tallies. Tallies are counted already, so
            they serve several policies only where all of them count alike.
        policies: Whose counting rules count.
        selection: Which senders, sequences and days; everything unless given.
        roster: For selected teams, where the data is not an account.

    Raises:
        ContractError: Tallies are given, and two of the policies count differently.
        EnrollmentsNeededError: The account was opened from tallies, and a policy counts otherwise.
        SelectionError: The selection names what there is not.
    """
    chosen = selection or Selection()
    if isinstance(data, Account):
        return _by_rules(policies, lambda policy: data.under(policy).select(chosen))
    if all(name in data.columns for name in MEASURES):
        _same_rules(policies)
        return [chosen.apply(data, roster)] * len(policies)
    return _by_rules(
        policies, lambda policy: chosen.apply(tally(data, rules=policy.counting), roster)
    )


def _by_rules(
    policies: Sequence[ScoringPolicy], count: Callable[[ScoringPolicy], pl.DataFrame]
) -> list[pl.DataFrame]:
    made: dict[tuple[object, ...], pl.DataFrame] = {}
    for policy in policies:
        if _rules(policy) not in made:
            made[_rules(policy)] = count(policy)
    return [made[_rules(policy)] for policy in policies]


def _rules(policy: ScoringPolicy) -> tuple[object, ...]:
    """The rules that tallies depend on; the denominator of the reply rate is not one of them."""
    return tuple(getattr(policy.counting, name) for name in _COUNTED_BY)


def _same_rules(policies: Sequence[ScoringPolicy]) -> None:
    first = policies[0]
    for other in policies[1:]:
        for name in _COUNTED_BY:
            one, two = getattr(first.counting, name), getattr(other.counting, name)
            if one != two:
                raise ContractError(
                    f"Tallies are counted already, and {first.name!r} and {other.name!r} count "
                    f"differently (counting.{name}: {one} and {two}).",
                    hint="Give the account, or its enrollments, so that each can count for itself.",
                )
