"""A policy file looked over: accepted as it is read, and every mistake of it named at once."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from senderscore_nb.errors import PolicyError
from senderscore_nb.experiment import described, mistakes
from senderscore_nb.experiment.check import mistakes_in
from senderscore_nb.policy import load_policy, parse_policy
from tests.experiment_frames import POLICY
from tests.test_policy import policies

BROKEN = POLICY.to_toml()

EDITS = [
    ("name =", "nam =", "nam: this key is unknown. Did you mean 'name'?"),
    ("name =", "nam =", "name: is missing."),
    ("user = 100", "user = 0", "minimum.user"),
    ("user = 100", "users = 100", "minimum.users: this key is unknown. Did you mean 'user'?"),
    ('"linear"', '"cubic"', "reply_points.interpolation"),
    ("[0.07, 35.0]", "[0.0, 35]", "reply_points.knots.2: rates must rise"),
    ("[0.07, 35.0]", "[7, 35]", "reply_points.knots.2: the rate 7 is not between 0 and 1"),
    ("[0.07, 35.0]", "[7, 35]", "reply_points.knots.3: rates must rise"),
    ("[0.07, 35.0]", "[0.07, 60]", "reply_points.knots.3: points must not fall"),
    ("[0.01, 45.0]", "[0.01, 55]", "bounce_points.knots.2: points must not rise"),
    ("[0.07, 35.0]", "[0.07, nan]", "reply_points.knots"),
    ("[0.07, 35.0]", '["x", 35]', "reply_points.knots"),
    ("[0.0, 0.0]", "[0.0, -1]", "reply_points.knots.1: points cannot be negative"),
    ("lower = 40.0", "lower = 80", "bands.3.lower: lower edges must rise"),
    ("lower = 0.0", "lower = 5", "bands.1.lower: the first band must start at 0"),
    ("lower = 90.0", "lower = 190", "bands.4.lower: the last edge 190 is above the highest"),
    ('"Fair"', '"good"', "two bands have the same name"),
    ('"Fair"', '""', "bands.1.name: must not be empty"),
    ('"delivered"', '"sent"', "counting.reply_denominator"),
    ("version = 1", 'version = "x"', "version"),
]


@pytest.mark.parametrize(("old", "new", "says"), EDITS)
def test_a_mistake_is_named_with_its_key(tmp_path, old, new, says):
    assert old in BROKEN
    path = tmp_path / "mine.toml"
    path.write_text(BROKEN.replace(old, new, 1))
    found = mistakes(path)
    assert any(says in line for line in found), found
    with pytest.raises(PolicyError):
        load_policy(path)


def test_every_mistake_is_named_at_once(tmp_path):
    text = BROKEN
    edits = ('"linear"', '"cubic"'), ("user = 100", "user = 0"), ("lower = 40.0", "lower = 80")
    more = ("[0.01, 45.0]", "[0.01, 55]"), ("[0.13, 45.0]", "[0.05, 20]"), ("name =", "nam =")
    for old, new in (*edits, *more):
        text = text.replace(old, new, 1)
    path = tmp_path / "mine.toml"
    path.write_text(text)
    found = "\n".join(mistakes(path))
    for key in (
        *("nam:", "name:", "minimum.user", "reply_points.interpolation", "bands.3.lower"),
        *("reply_points.knots.3: rates", "reply_points.knots.3: points", "bounce_points.knots.2"),
    ):
        assert key in found, key
    assert len(found.splitlines()) == 8


@given(policies())
def test_a_valid_policy_has_no_mistakes(policy):
    assert mistakes_in(tomllib.loads(policy.to_toml())) == []


values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-2, 2),
        st.floats(0, 2),
        st.just(float("nan")),
        st.sampled_from(["step", "Low", "1", "", "<b>"]),
    ),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["knots", "name", "lower", "user", "x"]), inner, max_size=3
        )
    ),
    max_leaves=8,
)


@given(
    policies(),
    st.dictionaries(
        st.sampled_from(["name", "reply_points", "bounce_points", "bands", "minimum", "counting"]),
        values,
        max_size=2,
    ),
    st.sets(st.sampled_from(["name", "bands", "reply_points", "version"]), max_size=1),
)
def test_it_finds_a_mistake_exactly_where_the_policy_is_refused(policy, changes, missing):
    from pydantic import ValidationError

    from senderscore_nb.policy import ScoringPolicy

    data = {**tomllib.loads(policy.to_toml()), **changes}
    data = {name: value for name, value in data.items() if name not in missing}
    try:
        ScoringPolicy.model_validate(data)
        refused = False
    except ValidationError:
        refused = True
    found = mistakes_in(data)
    assert bool(found) == refused, found
    assert all("\n" not in line for line in found)


def test_what_is_no_policy_at_all_is_one_error(tmp_path):
    with pytest.raises(PolicyError, match="Did you mean 'hubspot-article'"):
        mistakes("hubspot-artikle")
    (tmp_path / "x.toml").write_text("name = ")
    with pytest.raises(PolicyError, match="Not valid TOML"):
        mistakes(tmp_path / "x.toml")
    (tmp_path / "y.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(PolicyError, match="cannot be read"):
        mistakes(tmp_path / "y.toml")
    with pytest.raises(PolicyError, match="cannot be read"):
        mistakes(tmp_path / "none.toml")
    assert mistakes("hubspot-article") == []


def test_a_policy_in_words():
    text = "\n".join(described(POLICY))
    assert POLICY.label in text
    assert "points 0 at 0 %, 35 at 7 %, 45 at 13 %, 50 at 20 % of the reply rate" in text
    assert "Good from 70 to below 90, Excellent from 90 to 100." in text
    assert "100 ended enrollments, a sequence 101" in text
    step = parse_policy(BROKEN.replace('"linear"', '"step"', 1))
    assert "from each on" in described(step)[1]


@given(policies())
def test_every_policy_can_be_put_into_words(policy):
    lines = described(policy)
    assert all(lines)
    for band in policy.bands:
        assert any(band.name in line for line in lines)
