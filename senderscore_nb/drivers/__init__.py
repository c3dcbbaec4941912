"""Why a score moved, what would move it, and what to expect of it.

`watch` tells whether a rate is still what it was, `shrinkage` what small senders' rates are worth,
`ahead` when a sender will be scored or reach the next band, `sample_size_for` how many enrollments
it takes to tell a difference.
"""

from senderscore_nb.drivers.ahead import ahead, ahead_by_week
from senderscore_nb.drivers.power import power_curve, sample_size_for
from senderscore_nb.drivers.seen import Outlook
from senderscore_nb.drivers.sequential import confidence_sequence
from senderscore_nb.drivers.shrinkage import james_stein, shrinkage
from senderscore_nb.drivers.watch import watch

__all__ = [
    "Outlook",
    "ahead",
    "ahead_by_week",
    "confidence_sequence",
    "james_stein",
    "power_curve",
    "sample_size_for",
    "shrinkage",
    "watch",
]
