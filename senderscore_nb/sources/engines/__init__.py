"""Enrollments where they lie: read by an engine, without bringing the rows to Python."""
