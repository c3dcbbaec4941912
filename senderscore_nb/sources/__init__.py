"""The outside world → enrollments of the contract, and what was rejected on the way."""

from senderscore_nb.sources.aggregate import read_aggregate
from senderscore_nb.sources.emails import EmailReading, EmailRules, read_emails
from senderscore_nb.sources.engines import EngineReading, engine_enrollments
from senderscore_nb.sources.enrollments import read_enrollments
from senderscore_nb.sources.mapping import Mapping, load_mapping, mapping_names
from senderscore_nb.sources.reading import Reading, SourceFile, describe, write_rejects
from senderscore_nb.sources.roster import read_roster
from senderscore_nb.sources.warehouse import read_warehouse

__all__ = [
    "EmailReading",
    "EmailRules",
    "EngineReading",
    "Mapping",
    "Reading",
    "SourceFile",
    "describe",
    "engine_enrollments",
    "load_mapping",
    "mapping_names",
    "read_aggregate",
    "read_emails",
    "read_enrollments",
    "read_roster",
    "read_warehouse",
    "write_rejects",
]
