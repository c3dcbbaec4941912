"""Policies as they are told apart where several are looked at."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeAlias

from senderscore_nb.errors import PolicyError
from senderscore_nb.policy import ScoringPolicy, load_policy

RESERVED: tuple[str, ...] = ("user_id", "user_label", "policy", "week")
"""Names of columns, which a policy does not get beside them."""

Policies: TypeAlias = "Iterable[ScoringPolicy | str | Path] | ScoringPolicy | str | Path"


def load_all(policies: Policies) -> list[ScoringPolicy]:
    """Policies by name, path or as they are.

    Raises:
        PolicyError: None was given, or one is not valid.
    """
    if isinstance(policies, ScoringPolicy | str | Path):
        return [load_policy(policies)]
    loaded = [load_policy(policy) for policy in policies]
    if not loaded:
        raise PolicyError("No policy was given.", hint="Name at least one.")
    return loaded


def policy_names(policies: Sequence[ScoringPolicy]) -> list[str]:
    """A name for each policy that no other one has: its own, else with version and fingerprint.

    >>> policy_names([load_policy(), load_policy()])[1]
    'hubspot-article v1 (9f6d2e1d588d) #2'
    """
    own = [policy.name for policy in policies]
    names: list[str] = []
    for policy in policies:
        alone = own.count(policy.name) == 1 and policy.name not in RESERVED
        name = policy.name if alone else policy.label
        turn, unique = 1, name
        while unique in names:
            turn += 1
            unique = f"{name} #{turn}"
        names.append(unique)
    return names
