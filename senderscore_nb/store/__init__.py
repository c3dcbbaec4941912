"""Tallies that are kept: a tally file, and a store of partitions by month."""

from senderscore_nb.store.files import is_tally_file, read_tallies, write_tallies
from senderscore_nb.store.tallied import Tallied, checked_tallies, differing_rule, named

__all__ = [
    "Tallied",
    "checked_tallies",
    "differing_rule",
    "is_tally_file",
    "named",
    "read_tallies",
    "write_tallies",
]
