"""Accepted rows and rejected rows are all rows that were read, whatever happened to the file."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from senderscore_nb.errors import SenderScoreError
from senderscore_nb.sources import Reading, read_enrollments
from senderscore_nb.sources.raw import read_raw
from tests.test_sources_files import HEADER, ROWS, TEXT, put, xlsx

mutations = st.lists(
    st.tuples(
        st.sampled_from(["flip", "drop", "quote", "again", "insert"]),
        st.integers(0, 2**16),
        st.integers(0, 255),
    ),
    max_size=12,
)


def mutilated(content: bytes, changes: list[tuple[str, int, int]]) -> bytes:
    for kind, at, value in changes:
        at %= max(len(content), 1)
        after = content[at + 1 :]
        if kind == "flip":
            content = content[:at] + bytes([value]) + after
        elif kind == "drop":
            content = content[:at] + after[value % 20 :]
        elif kind == "again":
            content = content[:at] + content[max(0, at - value) : at] + content[at:]
        else:
            added = b'"' if kind == "quote" else bytes([value])
            content = content[:at] + added + content[at:]
    return content


def read_or_refused(path: Path) -> Reading | str:
    """What was read, under the law, or the message of the refusal; anything else is a defect."""
    try:
        reading = read_enrollments(path, timezone="Europe/Stockholm")
    except SenderScoreError as error:
        return str(error)
    assert reading.accepted.height + reading.rejected.height == reading.read
    raw = read_raw(path)
    assert reading.read == raw.frame.height + raw.broken.height
    assert reading.rejected.null_count().sum_horizontal().item() == 0
    assert reading.accepted["enrollment_id"].is_unique().all()
    return reading


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(mutations)
def test_accepted_and_rejected_are_all_that_was_read(
    tmp_path: Path, changes: list[tuple[str, int, int]]
) -> None:
    body = "\n".join(ROWS * 3).encode()
    path = put(tmp_path, HEADER.encode() + b"\n" + mutilated(body, changes))
    outcome = read_or_refused(path)
    if isinstance(outcome, str):
        assert "utf-8 or cp1252" in outcome or "day/month" in outcome
    elif not changes:
        assert (outcome.accepted.height, outcome.duplicates) == (len(ROWS), 2 * len(ROWS))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(mutations, st.sampled_from(["csv", "xlsx", "parquet", "csv.gz"]))
def test_files_damaged_anywhere_are_read_or_refused(
    tmp_path: Path, changes: list[tuple[str, int, int]], form: str
) -> None:
    rows = [line.split(",") for line in TEXT.splitlines()]
    whole = TEXT.encode() if form == "csv" else gzip.compress(TEXT.encode())
    if form == "xlsx":
        whole = xlsx([list(row) for row in rows])
    elif form == "parquet":
        buffer = io.BytesIO()
        pl.DataFrame(rows[1:], schema=rows[0], orient="row").write_parquet(buffer)
        whole = buffer.getvalue()
    outcome = read_or_refused(put(tmp_path, mutilated(whole, changes), f"a.{form}"))
    assert not isinstance(outcome, str) or f"a.{form}" in outcome
