"""Policies: read whole or refused with the key, round-tripping, monotone."""

from __future__ import annotations

import itertools

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from senderscore_nb.errors import PolicyError
from senderscore_nb.policy import (
    BounceCurve,
    ReplyCurve,
    ScoringPolicy,
    load_policy,
    parse_policy,
    preset_names,
)

rates = st.lists(st.integers(0, 1000), min_size=1, max_size=6, unique=True).map(
    lambda r: sorted(x / 1000 for x in r)
)


@st.composite
def curves(draw, kind):
    xs = draw(rates)
    points = st.lists(st.integers(0, 50), min_size=len(xs), max_size=len(xs))
    ys = sorted(draw(points), reverse=kind is BounceCurve)
    mode = draw(st.sampled_from(["linear", "step"]))
    return kind(interpolation=mode, knots=tuple(zip(xs, ys, strict=True)))


@st.composite
def policies(draw):
    reply, bounce = draw(curves(ReplyCurve)), draw(curves(BounceCurve))
    most = reply.most + bounce.most
    edges = draw(st.lists(st.integers(1, 100), max_size=4, unique=True).map(sorted))
    names = draw(
        st.lists(
            st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=12),
            min_size=5,
            max_size=5,
            unique_by=str.casefold,
        )
    )
    lowers = [0.0, *(e for e in edges if e <= most)]
    return ScoringPolicy(
        name=draw(st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip)),
        source=draw(st.text(st.characters(exclude_categories=["Cs"]))),
        reply_points=reply,
        bounce_points=bounce,
        bands=[
            {"name": f"{n}{i}", "lower": lo}
            for i, (n, lo) in enumerate(zip(names, lowers, strict=False))
        ],
    )


@given(policies())
def test_a_policy_reads_back_equal(policy):
    again = parse_policy(policy.to_toml())
    assert again == policy
    assert again.fingerprint == policy.fingerprint


@given(policies(), st.lists(st.floats(0, 1), min_size=2, max_size=20))
def test_points_rise_with_replies_and_fall_with_bounces(policy, xs):
    frame = pl.DataFrame({"x": sorted(xs)}).select(
        r=policy.reply_points.points(pl.col("x")), b=policy.bounce_points.points(pl.col("x"))
    )
    assert (frame["r"].diff().drop_nulls() >= -1e-9).all()
    assert (frame["b"].diff().drop_nulls() <= 1e-9).all()
    assert frame["r"].is_between(-1e-9, policy.reply_points.most + 1e-9).all()


def plain_points(curve, rate: float) -> float:
    """The referee, one rate at a time."""
    knots = curve.knots
    if rate < knots[0][0]:
        return knots[0][1]
    for (r0, p0), (r1, p1) in itertools.pairwise(knots):
        if r0 <= rate < r1:
            if curve.interpolation == "step":
                return p0
            return p0 + (p1 - p0) * (rate - r0) / (r1 - r0)
    return knots[-1][1]


@given(policies(), st.floats(0, 1))
def test_points_equal_the_plain_ones(policy, rate):
    for curve in (policy.reply_points, policy.bounce_points):
        got = pl.select(curve.points(pl.lit(rate))).item()
        assert got == pytest.approx(plain_points(curve, rate), abs=1e-9)


@pytest.mark.parametrize(
    ("reply", "bounce", "score", "band"),
    [
        (0.07, 0.03, 70, "Good"),
        (0.13, 0.01, 90, "Excellent"),
        (0.20, 0.00, 100, "Excellent"),
        (0.90, 0.00, 100, "Excellent"),
        (0.00, 0.10, 0, "Low"),
        (0.00, 0.05, 20, "Low"),
        (0.0699, 0.03, 69.95, "Fair"),
    ],
)
def test_the_default_gives_the_points_that_it_documents(reply, bounce, score, band):
    policy = load_policy()
    total = policy.reply_points.points(pl.lit(reply)) + policy.bounce_points.points(pl.lit(bounce))
    value, name = pl.select(total.alias("s"), policy.band(total).alias("b")).row(0)
    assert value == pytest.approx(score)
    assert name == band


def test_an_unknown_rate_has_no_points_and_no_band():
    policy = load_policy()
    points = policy.reply_points.points(pl.lit(None, pl.Float64))
    assert pl.select(points.alias("p"), policy.band(points).alias("b")).row(0) == (None, None)
    assert pl.select(policy.reply_points.points(pl.lit(float("nan")))).item() is None


def test_every_preset_is_valid_and_names_its_source():
    assert "hubspot-article" in preset_names()
    for name in preset_names():
        policy = load_policy(name)
        assert policy.name == name
        assert policy.source


@pytest.mark.parametrize(
    ("name", "rate", "points"),
    [
        ("strict-2pct", 0.02, 35),
        ("strict-2pct", 0.05, 0),
        ("amazon-ses", 0.0499, 50),
        ("amazon-ses", 0.05, 15),
        ("amazon-ses", 0.10, 0),
        *(
            ("emailit-stepped", rate, points)
            for edge, points in ((0.5, 100), (1, 96), (1.5, 92), (2, 88), (2.5, 80))
            for rate in (edge / 100 - 0.0049, edge / 100 - 1e-6)
        ),
        ("emailit-stepped", 0.025, 60),
    ],
)
def test_presets_give_the_published_points_of_bounces(name, rate, points):
    """Published: HubSpot and Woodpecker 2 and 5 %, Amazon SES 5 and 10 %, Emailit's steps."""
    assert pl.select(load_policy(name).bounce_points.points(pl.lit(rate))).item() == points


def test_who_would_be_under_review_is_never_good():
    policy = load_policy("amazon-ses")
    total = policy.reply_points.points(pl.lit(1.0)) + policy.bounce_points.points(pl.lit(0.05))
    assert pl.select(policy.band(total)).item() == "Fair"


def test_replies_have_no_part_in_emailits_steps():
    policy = load_policy("emailit-stepped")
    assert policy.reply_points.most == 0
    assert policy.most == 100
    bounces = pl.DataFrame({"b": [0.0, 0.0099, 0.0199, 0.0249, 0.025]})
    bands = bounces.select(policy.band(policy.bounce_points.points(pl.col("b")))).to_series()
    assert bands.to_list() == ["Excellent", "Excellent", "Good", "Fair", "Low"]


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_scores_with_certainty(name):
    from senderscore_nb.score import score
    from tests.conftest import MONDAY, tally_rows

    rows = tally_rows(("7", "1", MONDAY, 500, 40, 5), ("8", "1", MONDAY, 9000, 0, 900))
    scored = score(rows, name, by="user")
    assert scored["score"].is_between(0, load_policy(name).most).all()
    assert (scored["score_low"] <= scored["score_high"]).all()


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("name =", "nam =", "Did you mean 'name'"),
        ("[minimum]", "[minimun]", "Did you mean 'minimum'"),
        ("user = 100", "user = 0", "minimum.user"),
        ("user = 100", "users = 100", "Did you mean 'user'"),
        ('"linear"', '"cubic"', "reply_points.interpolation"),
        ("[0.07, 35]", "[0.0, 35]", "rates must rise"),
        ("[0.07, 35]", "[7, 35]", "between 0 and 1"),
        ("[0.07, 35]", "[0.07, 60]", "must not fall as the reply rate rises"),
        ("[0.01, 45]", "[0.01, 55]", "must not rise as the bounce rate rises"),
        ("[0.07, 35]", "[0.07, nan]", "reply_points.knots"),
        ("[0.0, 0]", "[0.0, -1]", "negative"),
        ("lower = 40", "lower = 80", "must rise from band to band"),
        ("lower = 0", "lower = 5", "must start at 0"),
        ("lower = 90", "lower = 190", "above the highest score"),
        ('"Fair"', '"good"', "same name"),
        ('"Fair"', '""', "must not be empty"),
        ("version = 1", "version = ", "Not valid TOML"),
        ('"delivered"', '"sent"', "counting.reply_denominator"),
    ],
)
def test_a_broken_policy_is_refused_with_file_and_key(tmp_path, old, new, says):
    from importlib import resources

    text = (resources.files("senderscore_nb") / "policies/hubspot-article.toml").read_text()
    assert old in text
    path = tmp_path / "mine.toml"
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(PolicyError) as error:
        load_policy(path)
    assert says in str(error.value)
    assert str(path) in str(error.value)


def test_an_unknown_policy_is_answered_with_the_nearest(tmp_path):
    with pytest.raises(PolicyError, match="Did you mean 'hubspot-article'"):
        load_policy("hubspot-artikle")
    with pytest.raises(PolicyError, match="cannot be read"):
        load_policy(tmp_path / "none.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(PolicyError, match="cannot be read"):
        load_policy(tmp_path / "binary.toml")


def test_the_fingerprint_is_of_what_scores_not_of_its_source():
    policy = load_policy()
    assert policy.model_copy(update={"source": "x"}).fingerprint == policy.fingerprint
    bands = (*policy.bands[:-1], policy.bands[-1].model_copy(update={"lower": 91}))
    assert policy.model_copy(update={"bands": bands}).fingerprint != policy.fingerprint
