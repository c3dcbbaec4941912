"""See, explain and improve the sequences sender score.

The public names are here; each is imported when it is first used, so that importing the package
costs next to nothing.

>>> from senderscore_nb import load_policy
>>> load_policy().name
'hubspot-article'
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from senderscore_nb.lazy import publish

if TYPE_CHECKING:
    from senderscore_nb import charts, reports
    from senderscore_nb.account import Account, open_account
    from senderscore_nb.change import Window, change
    from senderscore_nb.errors import SenderScoreError
    from senderscore_nb.explorer import Explorer
    from senderscore_nb.lab import ThresholdLab
    from senderscore_nb.policy import ScoringPolicy, load_policy
    from senderscore_nb.score import score
    from senderscore_nb.selection import Selection
    from senderscore_nb.sources import (
        read_aggregate,
        read_emails,
        read_enrollments,
        read_roster,
    )
    from senderscore_nb.sums import merge, trailing
    from senderscore_nb.tally import tally

_HOMES = {
    "Account": "account",
    "Explorer": "explorer",
    "ScoringPolicy": "policy",
    "Selection": "selection",
    "SenderScoreError": "errors",
    "ThresholdLab": "lab",
    "Window": "change",
    "change": "change",
    "load_policy": "policy",
    "merge": "sums",
    "open_account": "account",
    "read_aggregate": "sources",
    "read_emails": "sources",
    "read_enrollments": "sources",
    "read_roster": "sources",
    "score": "score",
    "tally": "tally",
    "trailing": "sums",
}

__all__ = [
    "Account",
    "Explorer",
    "ScoringPolicy",
    "Selection",
    "SenderScoreError",
    "ThresholdLab",
    "Window",
    "change",
    "charts",
    "load_policy",
    "merge",
    "open_account",
    "read_aggregate",
    "read_emails",
    "read_enrollments",
    "read_roster",
    "reports",
    "score",
    "tally",
    "trailing",
]


publish(__name__, {name: _HOMES.get(name, "") for name in __all__})
