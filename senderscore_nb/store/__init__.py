"""Tallies that are kept: a tally file, and a store of partitions by month."""

from senderscore_nb.store.counting import count, count_into
from senderscore_nb.store.covering import Updated, update
from senderscore_nb.store.days import Days
from senderscore_nb.store.files import is_tally_file, read_tallies, write_tallies
from senderscore_nb.store.reading import (
    TallyReading,
    changing_files,
    find_tallies,
    read_tallied,
)
from senderscore_nb.store.tallied import Tallied, checked_tallies, named
from senderscore_nb.store.tally_store import TallyStore, is_store
from senderscore_nb.store.writing import Change

__all__ = [
    "Change",
    "Days",
    "Tallied",
    "TallyReading",
    "TallyStore",
    "Updated",
    "changing_files",
    "checked_tallies",
    "count",
    "count_into",
    "find_tallies",
    "is_store",
    "is_tally_file",
    "named",
    "read_tallied",
    "read_tallies",
    "update",
    "write_tallies",
]
