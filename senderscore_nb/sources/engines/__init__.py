"""Enrollments where they lie: read by an engine, without bringing the rows to Python."""

from senderscore_nb.sources.engines.enrollments import engine_enrollments
from senderscore_nb.sources.engines.reading import Counts, EngineReading
from senderscore_nb.sources.engines.spark import spark_session
from senderscore_nb.sources.engines.trouble import in_words

__all__ = ["Counts", "EngineReading", "engine_enrollments", "in_words", "spark_session"]
