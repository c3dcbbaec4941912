"""Why a score moved, what would move it, and what to expect of it.

`explain_change` splits a change, `factor_effects` tells what goes with replies and bounces,
`levers` what each advice would be worth, `watch` whether a rate is still what it was, `shrinkage`
what small senders' rates are worth, `ahead` when a sender will be scored or reach the next band.
Each name is imported when it is first used: the models behind them need SciPy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from senderscore_nb.lazy import publish

if TYPE_CHECKING:
    from senderscore_nb.drivers.ahead import ahead, ahead_by_week
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
    from senderscore_nb.drivers.power import power_curve, sample_size_for
    from senderscore_nb.drivers.seen import Outlook
    from senderscore_nb.drivers.sequential import confidence_sequence
    from senderscore_nb.drivers.shrinkage import james_stein, shrinkage
    from senderscore_nb.drivers.watch import watch

_HOMES = {
    "Explanation": "explain",
    "FactorEffects": "factors",
    "FactorSettings": "factors",
    "LeverSettings": "levers_measured",
    "Outlook": "seen",
    "ahead": "ahead",
    "ahead_by_week": "ahead",
    "confidence_sequence": "sequential",
    "contact_list": "contacts",
    "das_gupta": "explain_rates",
    "effect_sentences": "factors_words",
    "explain_change": "explain",
    "explain_difference": "explain",
    "factor_effects": "factors",
    "factor_pairs": "factors_pairs",
    "james_stein": "shrinkage",
    "kitagawa": "explain_rates",
    "lever_effects": "levers_measured",
    "lever_sentences": "levers_words",
    "levers": "levers_measured",
    "power_curve": "power",
    "sample_size_for": "power",
    "shrinkage": "shrinkage",
    "steps": "explain_steps",
    "story": "explain_words",
    "watch": "watch",
}

__all__ = [
    "Explanation",
    "FactorEffects",
    "FactorSettings",
    "LeverSettings",
    "Outlook",
    "ahead",
    "ahead_by_week",
    "confidence_sequence",
    "contact_list",
    "das_gupta",
    "effect_sentences",
    "explain_change",
    "explain_difference",
    "factor_effects",
    "factor_pairs",
    "james_stein",
    "kitagawa",
    "lever_effects",
    "lever_sentences",
    "levers",
    "power_curve",
    "sample_size_for",
    "shrinkage",
    "steps",
    "story",
    "watch",
]

publish(__name__, _HOMES)
