"""A simulated account with a planted truth: the sample files, and a simulator for tests.

`python -m senderscore_nb.sample OUTDIR` writes the files; `simulate` makes enrollments directly.
"""

from __future__ import annotations

from senderscore_nb.sample.account import (
    LAST_DAY,
    NO_EFFECTS,
    NULL_FACTORS,
    SEED,
    SENDERS,
    SEQUENCES,
    TIMEZONE,
    WEEKS,
    BadList,
    Decay,
    Effects,
    MixShift,
    Sender,
    Sequence,
    monday,
)
from senderscore_nb.sample.files import EXPORT, ROSTER, SWEDISH_EXPORT, sample_folder, write_sample
from senderscore_nb.sample.generate import simulate
from senderscore_nb.sample.rates import true_rates

__all__ = [
    "EXPORT",
    "LAST_DAY",
    "NO_EFFECTS",
    "NULL_FACTORS",
    "ROSTER",
    "SEED",
    "SENDERS",
    "SEQUENCES",
    "SWEDISH_EXPORT",
    "TIMEZONE",
    "WEEKS",
    "BadList",
    "Decay",
    "Effects",
    "MixShift",
    "Sender",
    "Sequence",
    "monday",
    "sample_folder",
    "simulate",
    "true_rates",
    "write_sample",
]
