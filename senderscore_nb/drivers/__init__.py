"""Why a score moved, and what would move it.

Each public verb is imported when it is first used: the models behind them need scipy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from senderscore_nb.drivers.contacts import contact_list
    from senderscore_nb.drivers.factors import FactorEffects, FactorSettings, factor_effects
    from senderscore_nb.drivers.factors_pairs import factor_pairs
    from senderscore_nb.drivers.factors_words import effect_sentences
    from senderscore_nb.drivers.levers_measured import LeverSettings, lever_effects, levers
    from senderscore_nb.drivers.levers_words import lever_sentences

_HOMES = {
    "FactorEffects": "factors",
    "FactorSettings": "factors",
    "LeverSettings": "levers_measured",
    "contact_list": "contacts",
    "effect_sentences": "factors_words",
    "factor_effects": "factors",
    "factor_pairs": "factors_pairs",
    "lever_effects": "levers_measured",
    "lever_sentences": "levers_words",
    "levers": "levers_measured",
}

__all__ = [
    "FactorEffects",
    "FactorSettings",
    "LeverSettings",
    "contact_list",
    "effect_sentences",
    "factor_effects",
    "factor_pairs",
    "lever_effects",
    "lever_sentences",
    "levers",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
