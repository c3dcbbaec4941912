"""Why a score moved, and what would move it.

Each public name is imported when it is first used: the models behind them need SciPy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from senderscore_nb.lazy import publish

if TYPE_CHECKING:
    from senderscore_nb.drivers.contacts import contact_list
    from senderscore_nb.drivers.explain import Explanation, explain_change, explain_difference
    from senderscore_nb.drivers.explain_rates import das_gupta, kitagawa
    from senderscore_nb.drivers.explain_steps import steps
    from senderscore_nb.drivers.explain_words import story
    from senderscore_nb.drivers.factors import FactorEffects, FactorSettings, factor_effects
    from senderscore_nb.drivers.factors_pairs import factor_pairs
    from senderscore_nb.drivers.factors_words import effect_sentences
    from senderscore_nb.drivers.levers_measured import LeverSettings, lever_effects, levers
    from senderscore_nb.drivers.levers_words import lever_sentences

_HOMES = {
    "Explanation": "explain",
    "FactorEffects": "factors",
    "FactorSettings": "factors",
    "LeverSettings": "levers_measured",
    "contact_list": "contacts",
    "das_gupta": "explain_rates",
    "effect_sentences": "factors_words",
    "explain_change": "explain",
    "explain_difference": "explain",
    "factor_effects": "factors",
    "factor_pairs": "factors_pairs",
    "kitagawa": "explain_rates",
    "lever_effects": "levers_measured",
    "lever_sentences": "levers_words",
    "levers": "levers_measured",
    "steps": "explain_steps",
    "story": "explain_words",
}

__all__ = [
    "Explanation",
    "FactorEffects",
    "FactorSettings",
    "LeverSettings",
    "contact_list",
    "das_gupta",
    "effect_sentences",
    "explain_change",
    "explain_difference",
    "factor_effects",
    "factor_pairs",
    "kitagawa",
    "lever_effects",
    "lever_sentences",
    "levers",
    "steps",
    "story",
]

publish(__name__, _HOMES)
