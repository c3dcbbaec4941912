"""Other thresholds: who would move, how stable the bands are, what would serve a purpose.

`compare` and `sweep` look at policies side by side, `stability` at what chance does to their bands,
`sensitivity` and `tornado` at single thresholds, the `suggest_…` functions at purposes, `calibrate`
at what the vendor's own report shows. Each name is imported when it is first used: some of them
need scipy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from senderscore_nb.lazy import publish

if TYPE_CHECKING:
    from senderscore_nb.experiment.agreement import weighted_kappa
    from senderscore_nb.experiment.calibrate import Calibration, calibrate
    from senderscore_nb.experiment.calibrate_assumptions import Assumptions
    from senderscore_nb.experiment.cells import Cells
    from senderscore_nb.experiment.check import described, mistakes
    from senderscore_nb.experiment.cohort import Cohort
    from senderscore_nb.experiment.compare import compare
    from senderscore_nb.experiment.comparison import Comparison
    from senderscore_nb.experiment.differences import differences
    from senderscore_nb.experiment.livingston import livingston_lewis, reliability
    from senderscore_nb.experiment.sensitivity import sensitivity, tornado
    from senderscore_nb.experiment.stability import (
        consistency,
        flips_by_sender,
        smallest_n,
        stability,
        widened,
    )
    from senderscore_nb.experiment.suggest import (
        suggest_natural_breaks,
        suggest_quantiles,
        suggest_shares,
    )
    from senderscore_nb.experiment.suggest_different import suggest_different
    from senderscore_nb.experiment.suggest_stable import suggest_costs, suggest_stable
    from senderscore_nb.experiment.suggestion import Suggestion
    from senderscore_nb.experiment.suggestions import suggestion_table, suggestions
    from senderscore_nb.experiment.sweep import sweep
    from senderscore_nb.experiment.thresholds import Threshold, moved, thresholds

_HOMES = {
    "Assumptions": "calibrate_assumptions",
    "Calibration": "calibrate",
    "Cells": "cells",
    "Cohort": "cohort",
    "Comparison": "comparison",
    "Suggestion": "suggestion",
    "Threshold": "thresholds",
    "calibrate": "calibrate",
    "compare": "compare",
    "consistency": "stability",
    "described": "check",
    "differences": "differences",
    "flips_by_sender": "stability",
    "livingston_lewis": "livingston",
    "mistakes": "check",
    "moved": "thresholds",
    "reliability": "livingston",
    "sensitivity": "sensitivity",
    "smallest_n": "stability",
    "stability": "stability",
    "suggest_costs": "suggest_stable",
    "suggest_different": "suggest_different",
    "suggest_natural_breaks": "suggest",
    "suggest_quantiles": "suggest",
    "suggest_shares": "suggest",
    "suggest_stable": "suggest_stable",
    "suggestion_table": "suggestions",
    "suggestions": "suggestions",
    "sweep": "sweep",
    "thresholds": "thresholds",
    "tornado": "sensitivity",
    "weighted_kappa": "agreement",
    "widened": "stability",
}

__all__ = [
    "Assumptions",
    "Calibration",
    "Cells",
    "Cohort",
    "Comparison",
    "Suggestion",
    "Threshold",
    "calibrate",
    "compare",
    "consistency",
    "described",
    "differences",
    "flips_by_sender",
    "livingston_lewis",
    "mistakes",
    "moved",
    "reliability",
    "sensitivity",
    "smallest_n",
    "stability",
    "suggest_costs",
    "suggest_different",
    "suggest_natural_breaks",
    "suggest_quantiles",
    "suggest_shares",
    "suggest_stable",
    "suggestion_table",
    "suggestions",
    "sweep",
    "thresholds",
    "tornado",
    "weighted_kappa",
    "widened",
]

publish(__name__, _HOMES)
