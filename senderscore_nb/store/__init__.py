"""Tallies that are kept: a tally file, and a store of partitions by month."""

from senderscore_nb.store.days import Days
from senderscore_nb.store.files import is_tally_file, read_tallies, write_tallies
from senderscore_nb.store.tallied import Tallied, checked_tallies, differing_rule, named
from senderscore_nb.store.tally_store import TallyStore, is_store
from senderscore_nb.store.writing import Change

__all__ = [
    "Change",
    "Days",
    "Tallied",
    "TallyStore",
    "checked_tallies",
    "differing_rule",
    "is_store",
    "is_tally_file",
    "named",
    "read_tallies",
    "write_tallies",
]
