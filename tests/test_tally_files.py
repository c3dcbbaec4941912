"""A tally file gives back what was written, says what is not known, and no wrong number."""

from __future__ import annotations

import datetime as dt
import json

import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from polars.testing import assert_frame_equal

from senderscore_nb.contract import KEYS, MEASURES
from senderscore_nb.errors import ContractError, ReadError
from senderscore_nb.policy import CountingRules
from senderscore_nb.store import Tallied, is_tally_file, named, read_tallies, write_tallies
from senderscore_nb.store.files import KEY
from senderscore_nb.store.tallied import SEQUENCES, checked_tallies
from senderscore_nb.sums import merge
from senderscore_nb.tally import tally
from tests.conftest import MONDAY, enrollments, tally_rows
from tests.hostile import NAMES

RULES = CountingRules(date_basis="enrolled_on", blocked_count_as_bounced=True)


def tallied(tallies: pl.DataFrame, **values: object) -> Tallied:
    names = pl.DataFrame({"user_id": ["7"], "user_name": ["Ann"]})
    given_ = {
        "tallies": tallies,
        "rules": RULES,
        "timezone": "Europe/Stockholm",
        "through": MONDAY + dt.timedelta(days=90),
        "users": named(tallies["user_id"], names),
        "sequences": named(tallies["sequence_id"], schema=SEQUENCES),
        **values,
    }
    return Tallied(**given_)


ONE = tally_rows(("7", "1", MONDAY, 10, 2, 1), ("8", "1", MONDAY, 4, None, 0))


def same(a: Tallied, b: Tallied) -> None:
    for name in ("tallies", "users", "sequences"):
        assert_frame_equal(getattr(a, name), getattr(b, name))
    assert (a.rules, a.timezone, a.through) == (b.rules, b.timezone, b.through)


@settings(max_examples=20)
@given(enrollments)
def test_what_is_written_is_read(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("t") / "tallies.parquet"
    one = tallied(tally(rows, rules=CountingRules()))
    write_tallies(path, one)
    same(read_tallies(path), one)
    assert is_tally_file(path)


@settings(max_examples=15)
@given(enrollments, enrollments)
def test_files_of_halves_merge_to_the_file_of_all(tmp_path_factory, a, b):
    folder = tmp_path_factory.mktemp("t")
    b = b.with_columns(pl.col("enrollment_id") + "b")
    for name, rows in (("a", a), ("b", b), ("all", pl.concat([a, b]))):
        write_tallies(folder / f"{name}.parquet", tallied(tally(rows)))
    got = {n: read_tallies(folder / f"{n}.parquet").tallies for n in ("a", "b", "all")}
    assert_frame_equal(merge(got["a"], got["b"]), got["all"])


def test_hostile_names_and_everybody_come_back(tmp_path):
    names = [*NAMES, "a\nb", "\u202e", ""]
    users = pl.DataFrame({"user_id": names, "user_name": names[::-1]})
    one = tallied(ONE, users=named(ONE["user_id"], users))
    write_tallies(tmp_path / "t.parquet", one)
    same(read_tallies(tmp_path / "t.parquet"), one)


def test_another_tools_file_is_read_with_its_rules_unknown(tmp_path):
    path = tmp_path / "of-pandas.parquet"
    frame = pd.DataFrame(
        {
            "sequence_id": [1, 1, 2],
            "user_id": [7, 7, 8],
            "user_name": ["New", "Old", None],
            "day": pd.to_datetime(["2026-03-03", "2026-03-02", "2026-03-02"]),
            "ended": [5.0, 4.0, 3.0],
            "replied": [1.0, None, 0.0],
            "bounced": [0, 1, 0],
            "region": ["x", "y", "z"],
        }
    )
    frame.to_parquet(path)
    got = read_tallies(path)
    assert (got.rules, got.timezone, got.through) == (None, "", dt.date(2026, 3, 3))
    assert got.tallies.columns == [*KEYS, *MEASURES]
    assert got.tallies.rows()[0] == ("7", "1", MONDAY, 4, None, 1, None, None, None, None)
    assert got.users.rows() == [("7", "New"), ("8", None)]
    assert got.sequences.rows() == [("1", None), ("2", None)]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"user_id": None}, "row 1: user_id is null"),
        ({"day": None}, "row 1: day is null"),
        ({"ended": None}, "row 1: ended is null"),
        ({"ended": -1}, "row 1: ended -1 is negative"),
        ({"opened": -3}, "row 1: opened -3 is negative"),
        ({"replied": 10}, "row 1: replied 10 is more than ended − bounced 9"),
        ({"bounced": 11}, "row 1: bounced 11 is more than ended 10"),
        ({"clicked": 11}, "row 1: clicked 11 is more than ended 10"),
        ({"ended": 10**15}, "row 1: ended 1000000000000000 is impossible"),
        ({"user_id": "8"}, "row 2: its user, sequence and day are in another row"),
        ({"day": dt.date(9999, 1, 1)}, "row 1: day is not from 1970 to 2099"),
    ],
)
def test_a_row_that_is_no_tally_is_refused_with_its_reason(tmp_path, change, said):
    first = pl.int_range(pl.len()) == 0
    changes = [
        pl.when(first).then(pl.lit(v, ONE.schema[k])).otherwise(k).alias(k)
        for k, v in change.items()
    ]
    bad = ONE.with_columns(changes)
    bad.write_parquet(tmp_path / "bad.parquet")
    with pytest.raises(ContractError, match=r"1 of 2 rows are no tallies") as caught:
        read_tallies(tmp_path / "bad.parquet")
    assert said in str(caught.value)
    assert "bad.parquet" in str(caught.value)
    with pytest.raises(ContractError):
        write_tallies(tmp_path / "new.parquet", tallied(bad))
    assert not (tmp_path / "new.parquet").exists()


def test_an_unknown_bounce_does_not_hide_more_replies_than_ended():
    with pytest.raises(ContractError, match="replied 5"):
        checked_tallies(tally_rows(("7", "1", MONDAY, 4, 5, None)))


@pytest.mark.parametrize(
    ("column", "said"),
    [
        (pl.lit("x").alias("ended"), "ended: expected"),
        (pl.lit(1.5).alias("replied"), "found a fraction"),
        (pl.lit(dt.datetime(2026, 3, 2, 5)).alias("day"), "found a time of day"),
        (pl.lit(value=True).alias("bounced"), "bounced: expected"),
        (pl.lit([1]).alias("user_id"), "user_id: expected"),
    ],
)
def test_a_column_of_another_type_is_refused(column, said):
    with pytest.raises(ContractError, match=said):
        checked_tallies(ONE.with_columns(column))


def test_a_missing_column_is_named():
    with pytest.raises(ContractError, match=r"no column 'bounced'.*not known is null"):
        checked_tallies(ONE.drop("bounced"))


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ('{"version": 99}', "version 99"),
        ("[]", "no JSON object"),
        ("{", "no JSON object"),
        ("[" * 100_000, "no JSON object"),
        ('{"version": 1}', "cannot be read"),
        ('{"version": "1"}', "cannot be read"),
        (
            json.dumps({"version": 1, "rules": {"date_basis": "x"}, "through": None,
                        "timezone": "", "users": {}, "sequences": {}}),
            "date_basis",
        ),
        (
            json.dumps({"version": 1, "rules": None, "through": None, "timezone": "",
                        "users": {"7": 8}, "sequences": {}}),
            "cannot be read",
        ),
    ],
)  # fmt: skip
def test_facts_that_are_not_ours_are_refused_in_words(tmp_path, facts, said):
    ONE.write_parquet(tmp_path / "t.parquet", metadata={KEY: facts})
    with pytest.raises(ReadError, match=said):
        read_tallies(tmp_path / "t.parquet")


def test_what_is_no_parquet_is_refused(tmp_path):
    path = tmp_path / "t.parquet"
    with pytest.raises(ReadError, match="cannot be read"):
        read_tallies(path)
    path.write_bytes(b"PAR1 nothing PAR1")
    assert not is_tally_file(path)
    with pytest.raises(ReadError, match="Not a readable Parquet file"):
        read_tallies(path)


def test_enrollments_are_no_tallies(tmp_path):
    ONE.with_columns(enrollment_id=pl.lit("1")).write_parquet(tmp_path / "e.parquet")
    assert not is_tally_file(tmp_path / "e.parquet")
    assert not is_tally_file(tmp_path / "e.csv")


def test_a_file_that_cannot_be_written_leaves_the_old_one(tmp_path):
    path = tmp_path / "t.parquet"
    write_tallies(path, tallied(ONE))
    with pytest.raises(ReadError, match="cannot be written"):
        write_tallies(path / "below.parquet", tallied(ONE))
    same(read_tallies(path), tallied(ONE))
    assert [p.name for p in tmp_path.iterdir()] == ["t.parquet"]
