"""Text from outside made harmless, and files that appear whole or not at all."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from senderscore_nb import safe
from senderscore_nb.safe import (
    MOST_CHARACTERS,
    safe_filename,
    shown,
    shown_series,
    spreadsheet_safe,
    write_atomically,
)

FORMULAS = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\nx",
    "  =1",
    "\ufeff=1",
    "\x00=1",
    "＝1",
]
texts = st.text(st.characters(codec="utf-8"), max_size=120)


@pytest.mark.parametrize("text", FORMULAS)
def test_formulas_become_text(text: str) -> None:
    frame = pl.DataFrame({"a": [text, "plain", "a=b", "", None]})
    assert spreadsheet_safe(frame)["a"].to_list() == ["'" + text, "plain", "a=b", "", None]


def test_numbers_and_order_are_left_alone() -> None:
    frame = pl.DataFrame(
        {
            "n": [-1, 2],
            "rate": [-0.5, None],
            "e": pl.Series(["=x", "y"], dtype=pl.Enum(["=x", "y"])),
            "c": pl.Series(["+x", "y"], dtype=pl.Categorical),
            "t": ["x", "y"],
        }
    )
    result = spreadsheet_safe(frame)
    assert result.columns == frame.columns
    assert result.select("n", "rate", "t").equals(frame.select("n", "rate", "t"))
    assert result["e"].to_list() == ["'=x", "y"]
    assert result["c"].to_list() == ["'+x", "y"]


@given(st.lists(st.one_of(texts, st.sampled_from(FORMULAS)), min_size=1))
def test_no_cell_begins_like_a_formula(values: list[str]) -> None:
    result = spreadsheet_safe(pl.DataFrame({"a": values}, schema={"a": pl.String}))
    for before, after in zip(values, result["a"], strict=True):
        assert after in (before, "'" + before)
        assert after.lstrip()[:1] not in tuple("=+-@")


@given(texts)
def test_a_file_name_goes_nowhere_else(text: str) -> None:
    name = safe_filename(text)
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]*", name)
    assert len(name) <= MOST_CHARACTERS
    assert not re.fullmatch(r"(?i)con|prn|aux|nul|com\d|lpt\d", name)


@given(texts, texts)
def test_two_texts_have_two_file_names(one: str, other: str) -> None:
    assert (safe_filename(one) == safe_filename(other)) == (one == other)
    assert safe_filename(safe_filename(one + "/")) != safe_filename(one + "/")


@pytest.mark.parametrize(
    "text", ["../../etc/x", "a/b", "a\\b", "CON", "", "...", "\x00", "ÅÄÖ", "\ud800"]
)
def test_hostile_file_names(text: str) -> None:
    name = safe_filename(text)
    assert name != text
    assert not set(name) & set("/\\.\x00")
    assert len({safe_filename(t) for t in ("a b", "a  b", "a-b", "a/b")}) == 4


def test_plain_names_stay() -> None:
    assert safe_filename("weekly-2026-W46") == "weekly-2026-W46"
    assert safe_filename("x" * 80) == "x" * 80
    assert len(safe_filename("x" * 81)) <= 80


def test_files_are_written_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_atomically(path, "Öl\n")
    assert path.read_bytes() == "Öl\n".encode()
    write_atomically(str(path), b"\xff")
    assert path.read_bytes() == b"\xff"
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]


def test_the_old_file_stays_when_writing_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.txt"
    write_atomically(path, "old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(safe.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.parametrize("where", [".", "/", "folder", "missing/a.txt"])
def test_where_nothing_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OSError, match="directory"):
        write_atomically(where, "x")
    assert [file.name for file in tmp_path.iterdir()] == ["folder"]


@given(st.lists(texts, min_size=1))
def test_what_is_shown_is_short_and_on_one_line(values: list[str]) -> None:
    for text in [*map(shown, values), *shown_series(pl.Series(values))]:
        assert len(text) <= 60
        assert not set(text) & set("\n\r\t\x00\x1b\u202e")
    assert shown("x" * 100, most=10) == "xxxxxxxxx…"
