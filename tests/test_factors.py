"""Factors: published numbers, a slow referee, the sample's story, and what data can do to them."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from senderscore_nb.drivers import FactorSettings, effect_sentences, factor_effects
from senderscore_nb.drivers.factors import FactorEffects
from senderscore_nb.drivers.factors_alike import alike, cramers_v
from senderscore_nb.drivers.factors_contrasts import Standard, freedom_of, joint_test
from senderscore_nb.drivers.factors_fit import Block, fit
from senderscore_nb.drivers.factors_frames import judged
from senderscore_nb.drivers.factors_rows import settled_rows, spline
from senderscore_nb.errors import ContractError, FactorError
from senderscore_nb.policy import load_policy
from senderscore_nb.sample import NO_EFFECTS, NULL_FACTORS, Effects, simulate
from tests.conftest import MONDAY, enrollments

POLICY = load_policy()


def block(seed: int, *, strata: int = 12, times: int = 6, levels: int = 3, size: int = 40) -> Block:
    rng = np.random.default_rng(seed)
    n = rng.integers(0, size, (strata, times, levels)).astype(float)
    base = rng.normal(-2, 0.5, strata)[:, None, None]
    odds = base + np.linspace(-0.2, 0.2, times)[None, :, None] + rng.normal(0, 0.4, levels)
    events = rng.binomial(n.astype(int), 1 / (1 + np.exp(-odds))).astype(float)
    time = np.linspace(-1, 1, times)[:, None]
    return Block(n, events, np.arange(strata) // 2, time, np.eye(levels))


def rows_of(*parts: tuple[int, int, dict[str, object]], senders: int = 8) -> pl.DataFrame:
    """Enrollments from (how many, with a reply, other columns), spread over senders and weeks."""
    frames = []
    for count, replies, columns in parts:
        place = pl.int_range(count, eager=True)
        frames.append(
            pl.DataFrame({"i": place}).with_columns(
                user_id=(pl.col("i") % senders).cast(pl.String),
                sequence_id=pl.lit("1"),
                enrolled_on=pl.lit(MONDAY) + pl.duration(days=pl.col("i") % 70),
                replied=(pl.col("i") * 7919 % count) < replies,
                bounced=(pl.col("i") * 104729 % count) >= count - count // 40,
                **{name: pl.lit(value) for name, value in columns.items()},
            )
        )
    rows = pl.concat(frames, how="diagonal_relaxed")
    return rows.with_columns(
        enrollment_id=pl.int_range(pl.len()).cast(pl.String),
        ended_on=pl.col("enrolled_on") + pl.duration(days=2),
    ).drop("i")


def one(found: FactorEffects, factor: str, outcome: str = "replied") -> pl.DataFrame:
    return found.effects.filter(factor=factor, outcome=outcome)


def status(found: FactorEffects, factor: str, outcome: str = "replied") -> str:
    return str(found.tests.filter(factor=factor, outcome=outcome)["status"].item())


def notes(found: FactorEffects, factor: str, outcome: str = "replied") -> str:
    return str(found.tests.filter(factor=factor, outcome=outcome)["notes"].item())


@pytest.fixture(scope="module")
def sample() -> FactorEffects:
    return factor_effects(simulate(), POLICY)


def test_fifteen_p_values_of_benjamini_and_hochberg() -> None:
    """Benjamini & Hochberg 1995, J R Stat Soc B 57:289: 4 of 15 are rejected at 0.05."""
    p = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344]
    p += [0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0]
    rows = judged(pl.DataFrame({"p_value": p}), 0.05)
    assert rows["certain"].to_list() == [True] * 4 + [False] * 11
    assert sum(x <= 0.05 / 15 for x in p) == 3
    assert judged(pl.DataFrame({"p_value": [None, 0.01]}), 0.05)["certain"].to_list() == [
        None,
        True,
    ]


@pytest.mark.parametrize("seed", range(3))
def test_the_fit_is_that_of_statsmodels(seed: int) -> None:
    """The same model row by row in statsmodels' GLM, with an intercept for each stratum."""
    import statsmodels.api as sm

    cells = block(seed, size=400)
    fitted = fit(cells)
    s, t, level = np.nonzero(cells.n > 0)
    design = np.column_stack(
        [np.eye(cells.n.shape[0])[s], cells.time[t], np.eye(cells.n.shape[2])[level][:, 1:]]
    )
    events, n = cells.events[s, t, level], cells.n[s, t, level]
    model = sm.GLM(np.column_stack([events, n - events]), design, family=sm.families.Binomial())
    groups = {"groups": cells.sender[s], "use_correction": False}
    plain, clustered = model.fit(), model.fit(cov_type="cluster", cov_kwds=groups)
    mine = fitted.beta[cells.of_factor]
    assert mine[1:] - mine[0] == pytest.approx(plain.params[-2:], abs=0.002)
    apart = np.zeros(cells.columns)
    apart[cells.of_factor] = [-1, 1, 0]
    assert apart @ fitted.model @ apart == pytest.approx(plain.bse[-2] ** 2, rel=0.01)
    # The jackknife is larger than the sandwich, the less so the more senders there are.
    ratio = apart @ fitted.clustered @ apart / clustered.bse[-2] ** 2
    assert 1 < ratio < 3


def test_standardised_differences_are_those_of_the_definition() -> None:
    """The level's fitted rate over every enrollment, less the others' by their shares."""
    cells = block(7)
    fitted = fit(cells)
    standard = Standard(cells, fitted)
    level, total, mine, others = 1, 0.0, 0.0, 0.0
    size = cells.n.sum(1)
    for s in range(cells.n.shape[0]):
        rest = size[s].sum() - size[s, level]
        if size[s, level] == 0 or rest == 0:
            continue
        for t in range(cells.n.shape[1]):
            who = cells.n[s, t].sum()
            total += who
            mine += who * fitted.rates[s, t, level]
            others += who * sum(fitted.rates[s, t, k] * size[s, k] / rest for k in (0, 2))
    found = standard.level(level)
    assert found is not None
    assert found.rate == pytest.approx(mine / total, abs=1e-12)
    assert found.against == pytest.approx(others / total, abs=1e-12)
    assert found.share == 1


def test_the_delta_method_is_the_slope_by_numbers() -> None:
    cells = block(3)
    fitted = fit(cells)
    standard = Standard(cells, fitted)
    weights = np.zeros_like(standard.rates)
    weights[:, 1], weights[:, 0] = 1 / standard.size.sum(), -1 / standard.size.sum()
    by_stratum, gradient = standard.gradient(weights)

    def value(strata: np.ndarray, beta: np.ndarray) -> float:
        eta = strata[:, None, None] + beta[0] + (cells.time @ beta[1:2])[None, :, None] + beta[2:]
        rates = 1 / (1 + np.exp(-eta))
        return float((weights * (cells.n.sum(2)[:, :, None] * rates).sum(1)).sum())

    step = 1e-6
    for i in range(cells.columns):
        moved = fitted.beta.copy()
        moved[i] += step
        slope = (value(fitted.strata, moved) - value(fitted.strata, fitted.beta)) / step
        assert gradient[i] == pytest.approx(slope, abs=1e-5)
    moved = fitted.strata.copy()
    moved[4] += step
    slope = (value(moved, fitted.beta) - value(fitted.strata, fitted.beta)) / step
    assert by_stratum[4] == pytest.approx(slope, abs=1e-5)


def test_the_jackknife_is_what_leaving_out_a_sender_does() -> None:
    cells = block(11, strata=40, size=200)
    fitted = fit(cells)
    place = cells.of_factor
    for sender in range(20):
        kept = cells.sender != sender
        rest = Block(
            cells.n[kept], cells.events[kept], cells.sender[kept], cells.time, cells.design
        )
        moved = fit(rest).beta[place] - fitted.beta[place]
        shown = -fitted.moves[sender][place]
        # One Newton step: right to the size of the step itself.
        assert np.abs((moved - moved[0]) - (shown - shown[0])).max() < 0.01


def test_equal_senders_have_as_many_degrees_of_freedom_as_they_are_less_one() -> None:
    cells = block(2, strata=10)
    even = Block(
        np.full_like(cells.n, 30), np.full_like(cells.n, 3), np.arange(10), cells.time, cells.design
    )
    gradient = np.zeros(even.columns)
    gradient[even.of_factor] = [1, -1, 0]
    assert freedom_of(fit(even), gradient) == pytest.approx(9)
    n = np.zeros_like(even.n)
    n[:, :, 0] = 30
    n[3, :, 1] = 30
    alone = fit(Block(n, n / 10, np.arange(10), cells.time, cells.design))
    assert freedom_of(alone, gradient) < 2


def test_no_level_without_events_is_infinite() -> None:
    """Separation: the log-F prior is worth one enrollment (Greenland & Mansournia 2015)."""
    cells = block(5, size=100)
    events = cells.events.copy()
    events[:, :, 1] = 0
    apart = fit(Block(cells.n, events, cells.sender, cells.time, cells.design))
    assert np.isfinite(apart.beta).all()
    assert -15 < apart.beta[cells.of_factor][1] < -3
    test = joint_test(Block(cells.n, events, cells.sender, cells.time, cells.design), apart)
    assert 0 <= test.p_value <= 1


def test_the_planted_story_is_told(sample: FactorEffects) -> None:
    tokens = one(sample, "personalization_tokens")
    assert tokens["certain"].item()
    assert tokens["odds_ratio_low"].item() < 1.5 < tokens["odds_ratio_high"].item()
    assert not one(sample, "personalization_tokens", "bounced")["certain"].item()
    source = one(sample, "contact_source", "bounced").filter(pl.col("certain"))
    assert source["level"].to_list() == ["Purchased list"]
    assert "too few senders (1 sender)" in source["notes"].item()
    assert source["errors"].item() == "independent enrollments"
    past = one(sample, "previously_bounced", "bounced")
    assert past["certain"].item()
    assert past["odds_ratio_low"].item() < 10 < past["odds_ratio_high"].item()
    sends = one(sample, "sends_since_engagement")
    assert sends["certain"].item()
    assert sends["difference_pp"].item() < -3
    for factor in (*NULL_FACTORS, "enrolled_weekday", "enrolled_hour"):
        for outcome in ("replied", "bounced"):
            assert not one(sample, factor, outcome)["certain"].any(), (factor, outcome)


def test_the_story_in_words(sample: FactorEffects) -> None:
    text = " ".join(effect_sentences(sample))
    assert "at least one personalization token were replied to 2.9 percentage points more" in text
    assert "“Purchased list” bounced" in text
    assert "Contacts that had bounced before bounced" in text
    assert "Associations, not causes" in text
    assert "because" not in text
    nothing = text.split("Nothing beyond chance is seen for the reply rate by ")[1].split(".")[0]
    for word in ("segment", "template", "lifecycle stage", "recipient domain"):
        assert word in nothing


def test_steps_cannot_be_told_from_the_sequence(sample: FactorEffects) -> None:
    assert status(sample, "steps") == "aliased"
    assert "cannot be told from" in notes(sample, "steps")
    assert one(sample, "steps").is_empty()


def test_a_number_has_a_curve(sample: FactorEffects) -> None:
    curve = sample.curves.filter(factor="sends_since_engagement", outcome="replied").sort("value")
    rates = curve["adjusted_rate"].to_list()
    assert rates == sorted(rates, reverse=True)
    assert (curve["adjusted_low"] <= curve["adjusted_rate"]).all()
    assert (curve["adjusted_rate"] <= curve["adjusted_high"]).all()


def test_nothing_is_certain_where_nothing_is_planted() -> None:
    found = factor_effects(simulate(5, volume=0.5, effects=NO_EFFECTS), POLICY)
    assert not found.effects["certain"].any()
    assert not found.tests["certain"].any()
    assert "No factor goes with" in effect_sentences(found)[0]


def test_the_crude_difference_by_tokens_is_not_taken_for_the_effect() -> None:
    """Senders differ in how often they use tokens: what is adjusted is nearer the truth."""
    found = factor_effects(simulate(), POLICY, factors=["personalization_tokens"])
    row = one(found, "personalization_tokens").row(0, named=True)
    assert row["adjusted_rate"] - row["against_rate"] == pytest.approx(row["difference_pp"] / 100)
    rows = simulate().filter(pl.col("ended_on").is_not_null() & ~pl.col("bounced"))
    by = rows.group_by(t=pl.col("personalization_tokens") > 0).agg(r=pl.col("replied").mean())
    crude = by.sort("t")["r"].to_list()
    assert crude[1] - crude[0] > row["difference_pp"] / 100 + 0.01


@pytest.mark.parametrize(
    "name",
    ["opened", "clicked", "end_reason", "meeting_booked", "unsubscribed", "ended_on", "replied"],
)
def test_what_follows_the_outcome_is_refused(name: str) -> None:
    with pytest.raises(FactorError, match=r"is the outcome or follows it"):
        factor_effects(simulate(1, volume=0.05), POLICY, factors=[name])


@pytest.mark.parametrize("name", ["run_duration", "emails_sent", "Reply count", "bounce"])
def test_a_column_that_sounds_like_the_outcome_is_refused_or_left_out(name: str) -> None:
    rows = simulate(1, volume=0.05).with_columns(pl.lit(1).alias(name))
    with pytest.raises(FactorError, match="cannot be a factor"):
        factor_effects(rows, POLICY, factors=[name])
    found = factor_effects(rows, POLICY)
    assert name not in found.tests["factor"]
    assert any(name in note and "left out" in note for note in found.notes)


def test_a_column_about_before_may_sound_like_it() -> None:
    rows = simulate(1, volume=0.1).with_columns(pl.lit("a").alias("previous_replies"))
    assert status(factor_effects(rows, POLICY, factors=["previous_replies"]), "previous_replies")


def test_a_leak_under_another_name_is_warned_of() -> None:
    rows = simulate(1, volume=0.2).with_columns(pl.col("replied").alias("secret"))
    found = factor_effects(rows, POLICY, factors=["secret"])
    assert "suspiciously well" in notes(found, "secret")
    honest = factor_effects(rows, POLICY, factors=["previously_bounced"])
    assert "suspiciously" not in notes(honest, "previously_bounced", "bounced")


@pytest.mark.parametrize(
    ("name", "said"),
    [("user_id", "which enrollment"), ("contact_id", "which"), ("nosuch", "no column 'nosuch'")],
)
def test_what_is_no_factor_is_said(name: str, said: str) -> None:
    with pytest.raises(FactorError, match=said):
        factor_effects(simulate(1, volume=0.05), POLICY, factors=[name])
    with pytest.raises(FactorError, match="no outcome"):
        factor_effects(simulate(1, volume=0.05), POLICY, outcome="reply")


def test_rare_levels_are_put_together_and_said() -> None:
    rows = rows_of(
        (2000, 200, {"colour": "red"}),
        (2000, 220, {"colour": "blue"}),
        *((30, 3, {"colour": f"rare {i}"}) for i in range(9)),
    )
    found = factor_effects(rows, POLICY, factors=["colour"])
    levels = one(found, "colour")["level"].to_list()
    assert levels == ["blue", "red", "other (9 levels)"]
    assert "together as “other (9 levels)”" in notes(found, "colour")
    many = factor_effects(rows, POLICY, factors=["colour"], settings=FactorSettings(most_levels=3))
    assert "other (9 levels)" in one(many, "colour")["level"].to_list()


def test_missing_values_are_a_level_and_said() -> None:
    rows = rows_of(
        (1500, 150, {"colour": "red"}), (1500, 160, {"colour": "blue"}), (900, 40, {"colour": None})
    )
    found = factor_effects(rows, POLICY, factors=["colour"])
    unknown = one(found, "colour").filter(level="(unknown)")
    assert unknown["enrollments"].item() == pytest.approx(900, abs=80)
    assert "values are unknown" in notes(found, "colour")


def test_numbers_may_be_missing_or_infinite() -> None:
    rows = rows_of((4000, 400, {})).with_columns(
        x=pl.when(pl.col("enrollment_id").cast(pl.Int64) % 10 == 0)
        .then(pl.lit(float("inf")))
        .when(pl.col("enrollment_id").cast(pl.Int64) % 10 == 1)
        .then(None)
        .otherwise(pl.col("enrollment_id").cast(pl.Int64) % 37 * 1e307)
    )
    found = factor_effects(rows, POLICY, factors=["x"])
    assert "infinite or not a number" in notes(found, "x")
    assert one(found, "x")["level"].to_list()[-1] == "(unknown)"
    assert one(found, "x")["difference_pp"].is_finite().all()


def test_the_same_factor_under_another_name_is_told_once() -> None:
    rows = rows_of((2000, 200, {"colour": "red"}), (2000, 400, {"colour": "blue"})).with_columns(
        shade=pl.col("colour").str.to_uppercase()
    )
    found = factor_effects(rows, POLICY, factors=["colour", "shade"])
    assert status(found, "shade") == "same_as"
    assert "the same as colour" in notes(found, "shade")
    close = rows.with_columns(
        shade=pl.when(pl.col("enrollment_id").cast(pl.Int64) % 40 == 0)
        .then(pl.lit("GREY"))
        .otherwise("shade")
    )
    said = notes(factor_effects(close, POLICY, factors=["colour", "shade"]), "shade")
    assert "hand in hand with colour" in said


def test_cramers_v_is_one_for_the_same_and_nought_for_chance() -> None:
    rng = np.random.default_rng(1)
    table = rng.multinomial(5000, np.full(12, 1 / 12)).reshape(3, 4).astype(float)
    assert cramers_v(table) < 0.05
    assert cramers_v(np.diag([10.0, 20.0, 30.0])) == pytest.approx(1, abs=0.02)
    codes = {"a": np.array([0, 1, 2] * 9), "b": np.array([2, 0, 1] * 9), "c": np.full(27, -1)}
    assert alike(codes).same == {"b": "a"}


def test_young_cohorts_are_not_looked_at() -> None:
    """Of the newest enrollments only those have ended that were answered at once."""
    old = rows_of((3000, 300, {"colour": "red"}), (3000, 300, {"colour": "blue"}))
    last = old["ended_on"].max()
    assert isinstance(last, dt.date)
    young = rows_of((400, 400, {"colour": "blue"})).with_columns(
        enrolled_on=pl.lit(last + dt.timedelta(days=1)),
        ended_on=pl.lit(last + dt.timedelta(days=2)),
        enrollment_id=pl.lit("young") + pl.col("enrollment_id"),
        bounced=pl.lit(value=False),
    )
    found = factor_effects(pl.concat([old, young], how="diagonal"), POLICY, factors=["colour"])
    assert not found.effects["certain"].any()
    assert "400" in found.notes[0] or found.rows <= old.height
    kept = settled_rows(simulate().lazy(), POLICY.counting)
    assert kept.last == dt.date(2026, 10, 16)
    assert kept.first == dt.date(2026, 2, 9)


def test_what_the_data_does_not_know_is_unknown() -> None:
    rows = simulate(1, volume=0.1).with_columns(bounced=pl.lit(None, pl.Boolean))
    found = factor_effects(rows, POLICY, factors=["segment"])
    assert {status(found, "segment", o) for o in ("replied", "bounced")} == {"unknown"}
    assert any("does not know who was not reached" in note for note in found.notes)


def test_empty_small_and_unfinished_data_say_so() -> None:
    rows = simulate(1, volume=0.1)
    none = rows.with_columns(ended_on=pl.lit(None, pl.Date))
    for frame in (rows.clear(), rows.head(1), none, rows.head(40)):
        found = factor_effects(frame, POLICY)
        assert found.effects.is_empty()
        assert set(found.tests["status"]) <= {"too_few", "constant", "unknown"}
    with pytest.raises(ContractError, match="no column 'bounced'"):
        factor_effects(rows.drop("bounced"), POLICY)


def test_one_sender_is_judged_without_other_senders() -> None:
    rows = rows_of((2000, 100, {"colour": "red"}), (2000, 300, {"colour": "blue"}), senders=1)
    found = factor_effects(rows, POLICY, factors=["colour"], outcome="replied")
    assert found.effects["errors"].unique().to_list() == ["independent enrollments"]
    assert found.effects["certain"].all()


def test_hostile_names_stay_text() -> None:
    bad = "<script>alert(1)</script>\x1b[31m\n" + "x" * 500
    rows = rows_of((2000, 200, {"=cmd|' /C'!A1": bad}), (2000, 240, {"=cmd|' /C'!A1": "\u202e"}))
    found = factor_effects(rows, POLICY)
    assert all(len(level) <= 60 and level.isprintable() for level in found.effects["level"])


def test_a_lazy_frame_gives_the_same(sample: FactorEffects) -> None:
    lazy = factor_effects(simulate().lazy(), POLICY, factors=["segment", "steps"])
    frame = factor_effects(simulate(), POLICY, factors=["segment", "steps"])
    assert lazy.effects.equals(frame.effects)
    assert sample.rows == lazy.rows


def test_the_order_of_rows_changes_nothing() -> None:
    rows = simulate(3, volume=0.2)
    names = ["contact_source", "sends_since_engagement"]
    one_way = factor_effects(rows, POLICY, factors=names).effects
    other = factor_effects(rows.sample(fraction=1, shuffle=True, seed=1), POLICY, factors=names)
    columns = ["outcome", "factor", "level", "enrollments", "events"]
    assert one_way.select(columns).equals(other.effects.select(columns))
    assert other.effects["difference_pp"].to_list() == pytest.approx(
        one_way["difference_pp"].to_list(), abs=1e-9
    )


def test_what_is_given_is_compared_within() -> None:
    """Colour goes with replies only because the list does."""
    rows = rows_of(
        (3000, 600, {"colour": "red", "list": "a"}),
        (600, 120, {"colour": "blue", "list": "a"}),
        (600, 30, {"colour": "red", "list": "b"}),
        (3000, 150, {"colour": "blue", "list": "b"}),
    )
    alone = factor_effects(rows, POLICY, factors=["colour"], outcome="replied")
    within = factor_effects(rows, POLICY, factors=["colour"], outcome="replied", given=["list"])
    assert alone.effects["certain"].all()
    assert not within.effects["certain"].any()
    assert any("sender, sequence, list" in note for note in within.notes)


def test_sequences_are_compared_within_senders() -> None:
    found = factor_effects(simulate(), POLICY, factors=["sequence_id"], outcome="replied")
    certain = found.effects.filter(pl.col("certain"))
    assert {"307", "302"} <= set(certain.filter(pl.col("difference_pp") < 0)["level"])
    assert {"306", "309"} <= set(certain.filter(pl.col("difference_pp") > 0)["level"])


def test_the_past_is_worked_out_from_earlier_enrollments() -> None:
    from senderscore_nb.drivers.factors_past import known_past

    day = [MONDAY + dt.timedelta(days=n) for n in (0, 5, 5, 9)]
    rows = pl.DataFrame(
        {
            "contact_id": ["7", "7", "8", None],
            "enrolled_on": day,
            "ended_on": [d + dt.timedelta(days=1) for d in day],
            "bounced": [True, False, True, False],
        }
    )
    frame, said = known_past(rows.lazy())
    assert frame.collect()["previously_bounced"].to_list() == [False, True, False, None]
    assert "previously_bounced is worked out" in said[0]
    known = rows.with_columns(previously_bounced=pl.lit(value=True))
    assert known_past(known.lazy())[1] == ()


def test_a_spline_holds_a_line_and_its_columns_sum_to_one() -> None:
    x = np.linspace(0, 9, 40)
    basis = spline(x, 4)
    assert basis.sum(1) == pytest.approx(1)
    coefficients, *_ = np.linalg.lstsq(basis, 3 * x - 1, rcond=None)
    assert basis @ coefficients == pytest.approx(3 * x - 1)
    assert spline(np.array([1.0]), 4).shape == (1, 0)
    assert spline(np.array([1.0, 2.0]), 4).shape == (2, 1)


@settings(max_examples=25, deadline=None)
@given(enrollments, st.sampled_from(["opened", "colour", "x"]))
def test_any_enrollments_are_survived(rows: pl.DataFrame, name: str) -> None:
    rows = rows.with_columns(
        colour=pl.col("end_reason"), x=pl.col("enrollment_id").cast(pl.Float64)
    )
    if name == "opened":
        with pytest.raises(FactorError):
            factor_effects(rows, POLICY, factors=[name])
        return
    small = FactorSettings(least_enrollments=1, least_events=0.0)
    found = factor_effects(rows, POLICY, factors=[name], settings=small)
    for column in ("p_value", "difference_pp_low"):
        assert found.effects[column].drop_nulls().is_finite().all()
    assert (found.effects["events"] <= found.effects["enrollments"]).all()


def test_effects_can_be_switched_off_and_are_then_not_found() -> None:
    rows = simulate(9, effects=Effects(tokens_odds_ratio=1.0))
    row = one(factor_effects(rows, POLICY, factors=["personalization_tokens"]),
              "personalization_tokens").row(0, named=True)  # fmt: skip
    assert row["difference_pp_low"] < 0.6
    assert not row["certain"]
