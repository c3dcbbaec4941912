"""Labels: short, visible and unique, whatever the names are."""

from __future__ import annotations

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from senderscore_nb.labels import MOST_CHARACTERS, labels_of

names = st.one_of(st.none(), st.sampled_from(["Ann", "Ann ", "<script>", "x" * 10_000]), st.text())
ids = st.one_of(st.sampled_from(["1", "2", "a" * 500]), st.text(min_size=1))


@given(st.lists(st.tuples(ids, names), max_size=20))
def test_labels_are_short_visible_and_unique(people):
    rows = pl.DataFrame(
        [(i, n, "s") for i, n in people],
        schema={"user_id": pl.String, "user_name": pl.String, "sequence_id": pl.String},
        orient="row",
    )
    labels = labels_of(rows).users
    assert set(labels["user_id"]) == set(rows["user_id"])
    assert labels["user_label"].n_unique() == labels.height
    for label in labels["user_label"]:
        assert 0 < len(label) <= MOST_CHARACTERS
        assert not any(ord(c) < 32 or c in "\u202e\u2066\u200b" for c in label)


def test_the_rosters_name_wins_and_the_newest_one_else():
    rows = pl.DataFrame(
        {
            "user_id": ["1", "1", "2"],
            "user_name": ["Old", "New", "Read"],
            "sequence_id": ["9"] * 3,
            "enrolled_on": pl.Series([1, 2, 3]).cast(pl.Date),
        }
    )
    roster = pl.DataFrame({"user_id": ["2", "3"], "user_name": ["Listed", None]})
    assert dict(labels_of(rows).users.iter_rows()) == {"1": "New", "2": "Read"}
    assert dict(labels_of(rows, roster).users.iter_rows()) == {"1": "New", "2": "Listed", "3": "3"}


def test_they_are_added_beside_the_ids():
    rows = pl.DataFrame({"user_id": ["1"], "user_name": ["Ann"], "sequence_id": ["9"]})
    added = labels_of(rows).add(pl.DataFrame({"user_id": ["1", "4"], "sequence_id": ["9", None]}))
    assert added["user_label"].to_list() == ["Ann", "4"]
    assert added["sequence_label"].to_list() == ["9", None]


def test_a_name_that_looks_like_a_numbered_one_stays_apart():
    names = ["A", "A", "A (1)", "A (1) #1"]
    rows = pl.DataFrame({"user_id": list("1234"), "user_name": names, "sequence_id": ["s"] * 4})
    assert labels_of(rows).users["user_label"].n_unique() == 4
