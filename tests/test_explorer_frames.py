"""What the explorer shows is what `score` says of the same selection: look-ups have a referee."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import betaincinv

from senderscore_nb.certainty import score_certainty
from senderscore_nb.change import Window, change
from senderscore_nb.explorer import Model, View
from senderscore_nb.explorer.comparing import comparison
from senderscore_nb.explorer.index import BOUNCED, ENDED, REPLIED, TallyIndex, _sums
from senderscore_nb.explorer.kernel import Certainty, score_cells, wilson_limits
from senderscore_nb.explorer.scene import Scene
from senderscore_nb.policy import load_policy
from senderscore_nb.quantiles import beta_quantiles, limits, shares_above
from senderscore_nb.score import STATUSES, score
from senderscore_nb.selection import Selection
from senderscore_nb.sums import trailing
from tests.explorer_data import MONDAY, ROSTER, data_of, full, selections, tallies, views

STEP = load_policy().model_copy(
    update={
        "name": "step",
        "reply_points": load_policy().reply_points.model_copy(update={"interpolation": "step"}),
    }
)


def same(row: dict, expected: dict) -> None:
    """A row of the explorer against a row of `score`."""
    assert row["status"] == expected["status"]
    assert row["ended"] == expected["ended"]
    for name, measure in (("reply", "reply_rate"), ("bounce", "bounce_rate")):
        if expected[measure] is None:
            assert row[name] is None
        else:
            told = [expected[f"{measure}{part}"] for part in ("", "_low", "_high")]
            assert row[name] == pytest.approx(told, abs=1e-5)
    if expected["score"] is None:
        assert "score" not in row
        assert row["verdict"] == expected["verdict"]
    else:
        told = [expected["score"], expected["score_low"], expected["score_high"]]
        assert [row["score"], row["low"], row["high"]] == pytest.approx(told, abs=0.006)
        assert row["verdict"] == expected["verdict"]
        assert row["sure"] == pytest.approx(expected["band_probability"], abs=6e-4)


def asked(frame: pl.DataFrame, selection: Selection, by: str, **more: object) -> list[dict]:
    chosen = selection.apply(frame, ROSTER)
    return score(chosen, by=by, roster=ROSTER, **more).to_dicts()


@given(tallies(), selections())
def test_rows_and_total_equal_score(frame, selection):
    model = Model(data_of(frame), View(selection=selection, panel="table"))
    values = model.draw().values
    scene = Scene.seen(model.data, model.view)
    as_of = scene.index.first + dt.timedelta(days=scene.span[1] - 1)
    rows = asked(frame, selection, "user", as_of=as_of)
    assert values["enrollments"] == sum(row["ended"] for row in rows)
    if not rows:
        assert values["empty"]
        assert "list" not in values
        return
    shown = {row["id"]: row for row in values["list"]["rows"]}
    assert set(shown) == {row["user_id"] for row in rows}
    for row in rows:
        one = shown[row["user_id"]]
        same(one, row)
        if row["status"] == "collecting":
            assert one["missing"] == row["missing"]
            expected = row["expected_on"]
            told = f"{expected.day} {expected:%b} {expected.year}" if expected else None
            assert one.get("expected") == told
    same(values["together"], asked(frame, selection, "")[0])


@given(tallies(), views())
def test_every_view_counts_what_its_selection_takes(frame, view):
    values = Model(data_of(frame), view).draw().values
    assert values["enrollments"] == view.seen.apply(frame, ROSTER)["ended"].sum()


@given(tallies(), selections(), st.sampled_from(("7", "8")))
def test_the_sequences_of_a_sender_equal_score(frame, selection, user):
    view = View(selection=selection.model_copy(update={"teams": ()}), user=user, panel="table")
    values = Model(data_of(frame), view).draw().values
    rows = asked(frame, view.seen, "user,sequence")
    if not rows:
        assert values["empty"]
        return
    shown = {row["id"]: row for row in values["list"]["rows"]}
    assert set(shown) == {row["sequence_id"] for row in rows}
    for row in rows:
        same(shown[row["sequence_id"]], row)
    same(values["together"], asked(frame, view.seen, "user")[0])


def over_weeks(frame: pl.DataFrame, selection: Selection, by: str, weeks: int) -> list[dict]:
    if weeks > 1:
        frame = trailing(Selection(end=selection.end).apply(frame), weeks)
        start = selection.start and selection.start - dt.timedelta(days=selection.start.weekday())
        selection = selection.model_copy(update={"start": start, "end": None})
    return asked(frame, selection, by)


@given(tallies(), selections(), st.sampled_from((1, 3)), st.sampled_from(("", "7")))
def test_a_trend_equals_score_by_week(frame, selection, weeks, user):
    selection = selection.model_copy(update={"teams": ()} if user else {})
    view = View(selection=selection, user=user, panel="trend", weeks=weeks)
    values = Model(data_of(frame), view).draw().values
    rows = over_weeks(frame, view.seen, "user,week" if user else "week", weeks)
    if not values["enrollments"]:
        return
    shown = {row["day"]: row for row in values["trend"]["rows"]}
    expected = {str(row["week"]): row for row in rows if row["ended"]}
    # The referee does not know of weeks after the last one of what it was given.
    for day, row in expected.items():
        same(shown[day], row)
    extra = set(shown) - set(expected)
    assert all(day > max(expected, default="") for day in extra)


def cells(frame, part: str) -> dict[tuple[str, str], tuple[int, int]]:
    matrix = frame.values[part]
    shape = len(matrix["rows"]), len(matrix["columns"])
    states = np.frombuffer(frame.buffers[matrix["states"]], np.int8).reshape(shape)
    ended = np.frombuffer(frame.buffers[matrix["ended"]], np.int32).reshape(shape)
    return {
        (row["id"], column["id"]): (int(states[i, j]), int(ended[i, j]))
        for i, row in enumerate(matrix["rows"])
        for j, column in enumerate(matrix["columns"])
        if ended[i, j]
    }


def expected_cells(rows: list[dict], column: str) -> dict[tuple[str, str], tuple[int, int]]:
    names = load_policy().band_names
    found = {}
    for row in rows:
        state = -1 - STATUSES.index(row["status"])
        if row["band"] is not None:
            state = names.index(row["band"])
        found[row["user_id"], str(row[column])] = (state, row["ended"])
    return found


@given(tallies(), selections(), st.sampled_from((1, 3)))
def test_heatmaps_equal_score(frame, selection, weeks):
    model = Model(data_of(frame), View(selection=selection, panel="heatmaps", weeks=weeks))
    drawn = model.draw()
    if not drawn.values["enrollments"]:
        return
    known = {row["id"] for row in drawn.values["weeks"]["rows"]}
    rows = over_weeks(frame, selection, "user,week", weeks)
    expected = expected_cells([r for r in rows if r["user_id"] in known], "week")
    shown = cells(drawn, "weeks")
    assert {key: shown[key] for key in expected} == expected
    pairs = expected_cells(asked(frame, selection, "user,sequence"), "sequence_id")
    assert cells(drawn, "pairs") == pairs


def test_a_brush_filters_the_rest_and_not_its_own_weeks():
    model = Model(data_of(full()), View(panel="heatmaps", weeks=1))
    before = model.draw().values
    end = MONDAY + dt.timedelta(days=6)
    model.update({"brush_start": str(MONDAY), "brush_end": str(end)})
    after = model.draw()
    assert after.values["weeks"]["columns"] == before["weeks"]["columns"]
    week = full().filter(pl.col("day") <= end)
    assert after.values["enrollments"] == week["ended"].sum()
    pairs = cells(after, "pairs")
    assert pairs["7", "a"][1] == 12 * 7
    assert model.update({"panel": "table"}).brush_start == MONDAY
    assert model.draw().values["enrollments"] == week["ended"].sum()


def test_a_brush_that_the_range_has_left_counts_for_nothing():
    far = {"brush_start": str(MONDAY), "brush_end": str(MONDAY)}
    view = View.create(start=str(MONDAY + dt.timedelta(days=7)), **far)
    assert Model(data_of(full()), view).draw().values["enrollments"] == (
        full().filter(pl.col("day") >= MONDAY + dt.timedelta(days=7))["ended"].sum()
    )


@given(tallies(), views())
def test_each_way_back_leads_to_what_it_promises(frame, view):
    model = Model(data_of(frame), view)
    ways = model.draw().values.get("empty")
    if ways is None:
        return
    assert ways[-1]["enrollments"] == frame["ended"].sum() > 0
    for way in ways:
        model.update(way["go"])
        assert model.draw().values["enrollments"] == way["enrollments"] > 0
        model.undo()


@pytest.mark.parametrize("sort", ["score", "name", "ended", "reply_rate", "bounce_rate"])
@pytest.mark.parametrize("descending", [True, False])
def test_rows_are_sorted_over_all_pages_and_those_without_come_last(sort, descending):
    frame = full().with_columns(
        ended=pl.col("ended") + pl.col("user_id").rank("dense").cast(pl.Int64) * 3
    )
    view = View(panel="table", sort=sort, descending=descending)
    rows = Model(data_of(frame), view).draw().values["list"]["rows"]
    key = {"name": "label", "reply_rate": "reply", "bounce_rate": "bounce"}.get(sort, sort)
    values = [row[key] for row in rows if row.get(key) is not None]
    known = [value[0] if isinstance(value, list) else value for value in values]
    assert known == sorted(known, reverse=descending)
    if sort == "score":
        assert [row["status"] for row in rows][-1] == "no_paid_seat"


def test_pages_hold_every_row_once():
    wide = pl.concat(
        full().filter(pl.col("user_id") == "7").with_columns(user_id=pl.lit(f"u{i:03}"))
        for i in range(60)
    )
    from senderscore_nb.explorer import Data

    seen = []
    for page in range(3):
        values = Model(Data.of_tallies(wide), View(panel="table", page=page)).draw().values
        assert values["list"]["pages"] == 3
        seen += [row["id"] for row in values["list"]["rows"]]
    assert sorted(seen) == sorted(f"u{i:03}" for i in range(60))
    beyond = Model(Data.of_tallies(wide), View(panel="table", page=9)).draw().values
    assert beyond["list"]["page"] == 2


@settings(max_examples=25)
@given(tallies(nulls=False), st.integers(8, 30))
def test_a_comparison_equals_the_change_between_two_windows(frame, length):
    data = data_of(frame)
    first = frame["day"].min()
    now = Window(first + dt.timedelta(days=20), first + dt.timedelta(days=20 + length))
    before = Window(first + dt.timedelta(days=5), first + dt.timedelta(days=5 + length))
    view = View.create(
        start=now.start, end=now.end, panel="compare",
        other={"start": before.start, "end": before.end},
    )  # fmt: skip
    scene = Scene.seen(data, view)
    if not scene.enrollments or not before.of(frame)["ended"].sum():
        return
    got = {d["name"]: d for d in comparison(scene, view, Certainty())["differences"]}
    (expected,) = change(frame, now=now, before=before, by="").to_dicts()
    for name, measure, scale in (("score", "score", 1), ("reply", "reply_rate", 100)):
        if expected[f"{measure}_change"] is None:
            assert got[name]["change"] is None
            continue
        told = [scale * expected[f"{measure}_change{part}"] for part in ("", "_low", "_high")]
        found = [got[name][part] for part in ("change", "low", "high")]
        assert found == pytest.approx(told, abs=0.03)


def test_two_policies_are_compared_on_their_own_scales():
    data = data_of(full())
    data.policies["step"] = STEP
    view = View.create(panel="compare", other={"policy": "step"})
    values = Model(data, view).draw().values["compare"]
    assert not values["same_policy"]
    assert [side["policy"] for side in values["sides"]] == ["hubspot-article", "step"]
    assert values["sides"][0]["ended"] == values["sides"][1]["ended"]
    assert values["shared"] == values["sides"][0]["ended"]


@given(tallies())
def test_the_index_adds_up_however_it_is_asked(frame):
    index = TallyIndex.of(frame, ["zz"], [])
    some = np.array([name != "b" for name in index.sequences])
    for low, high in ((0, index.days), (min(3, index.days), min(20, index.days))):
        whole = index.senders()[:, :, high] - index.senders()[:, :, low]
        part = index.senders(some)
        part = part[:, :, high] - part[:, :, low]
        columns = np.arange(len(index.sequences))
        pairs = index.pairs(None, columns, low, high)
        assert (pairs.sum(axis=2) == whole).all()
        assert (pairs[:, :, some].sum(axis=2) == part).all()
        assert (index.sizes(None, low, high) == pairs[ENDED].sum(axis=0)).all()
        users = np.array([name != "7" for name in index.users])
        for taken in (users, ~users, users & False, users | True):
            expected = pairs[ENDED][taken].sum(axis=0)
            assert (index.sizes(taken, low, high) == expected).all()
    assert whole[ENDED].sum() <= frame["ended"].sum()


def test_sums_that_are_let_go_of_leave_no_memory_behind():
    """They lie in memory of their own, which goes back to the system whatever malloc keeps."""
    import gc
    import mmap
    import weakref

    index = data_of(full()).index(load_policy())
    masks = [np.array(m, dtype=bool) for m in np.ndindex(2, 2, 2)]
    mapped = []
    for mask in [None, *masks]:
        memory = index.senders(mask)
        while isinstance(memory, np.ndarray):
            memory = memory.base
        memory = getattr(memory, "obj", memory)
        assert isinstance(memory, mmap.mmap)
        mapped.append(weakref.ref(memory))
    del memory
    gc.collect()
    assert sum(one() is not None for one in mapped) == len(index._cubes) <= 4


def test_a_picture_made_meanwhile_disturbs_nothing():
    """The picture of a view is made in another thread, over the same few sums that are kept."""
    import itertools
    import sys
    import threading

    data = data_of(full())
    index = data.index(data.policy("hubspot-article"))
    masks = [np.array(m) for m in itertools.product((True, False), repeat=len(index.sequences))]
    expected = [index._running(mask)[ENDED].sum() for mask in masks]
    wrong: list[object] = []

    def ask(order: range) -> None:
        try:
            for i in order:
                got = index.senders(masks[i % len(masks)])[ENDED].sum()
                if got != expected[i % len(masks)]:
                    wrong.append(i)
        except Exception as error:
            wrong.append(error)

    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [
            threading.Thread(target=ask, args=(r,)) for r in (range(600), range(900, 300, -1))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(usual)
    assert wrong == []


def test_counts_too_large_to_pack_are_still_exact():
    huge = np.array([[2**40, 5, 7], [2**39, 1, 2], [3, 4, 5]])
    sums = _sums(np.array([1, 0, 1]), huge, 2)
    assert sums.tolist() == [[5, 2**40 + 7], [1, 2**39 + 2], [4, 8]]


@given(
    st.lists(st.tuples(st.integers(0, 300), st.integers(0, 300), st.integers(0, 300)), min_size=1)
)
def test_the_kernel_equals_score_on_either_kind_of_curve(counts):
    frame = pl.DataFrame(
        [(str(i), r + b + rest, r, b) for i, (r, b, rest) in enumerate(counts)],
        schema=["user_id", "ended", "replied", "bounced"],
        orient="row",
    ).with_columns(
        pl.lit(0, pl.Int64).alias(n) for n in ("opened", "clicked", "meetings", "unsubscribed")
    )
    array = frame.select("ended", "replied", "bounced").to_numpy().T
    for policy in (load_policy(), STEP):
        expected = {r["user_id"]: r for r in score(frame, policy, by="user").to_dicts()}
        got = score_cells(array, policy, minimum=policy.minimum.user)
        for i in range(len(counts)):
            row = expected[str(i)]
            assert STATUSES[got.status[i]] == row["status"]
            if row["score"] is not None:
                assert got.score[i] == pytest.approx(row["score"], abs=1e-9)
                assert policy.band_names[got.band[i]] == row["band"]
    low, high = wilson_limits(array[BOUNCED], array[ENDED])
    told = pl.concat([score(frame, by="user")]).sort(pl.col("user_id").cast(int))
    assert low == pytest.approx(told["bounce_rate_low"].fill_null(np.nan).to_numpy(), nan_ok=True)
    assert high == pytest.approx(told["bounce_rate_high"].fill_null(np.nan).to_numpy(), nan_ok=True)
    assert array[REPLIED].sum() == frame["replied"].sum()


def test_certainty_is_the_same_alone_and_among_many():
    rng = np.random.default_rng(3)
    ended = rng.integers(100, 9000, 60)
    bounced = rng.binomial(ended, 0.03)
    replied = rng.binomial(ended - bounced, 0.08)
    policy = load_policy()
    scores = score_cells(np.stack([ended, replied, bounced]), policy, minimum=100)
    known = Certainty()
    many = known.of(scores, policy)
    for i in (0, 31, 59):
        (alone,) = Certainty().of(scores.at(slice(i, i + 1)), policy)
        assert alone.low == pytest.approx(many[i].low)
        assert alone.verdict == many[i].verdict
    assert known.of(scores, policy) == many
    counts = np.column_stack([replied, ended - bounced, bounced, ended])
    assert [one.high for one in many] == pytest.approx(
        np.maximum(score_certainty(counts, policy).high, scores.score)
    )


@given(st.lists(st.floats(0, 50), min_size=201, max_size=201), st.integers(0, 5), st.data())
def test_limits_and_shares_equal_those_of_all_pairs(values, cut, data):
    x = np.sort(np.array(values))[None, :]
    y = np.sort(np.round(np.array(values[::-1]) / (cut + 1)) * cut)[None, :]
    pairs = (x[0][:, None] + y[0][None, :]).ravel()
    tail = data.draw(st.sampled_from((0.025, 0.05, 0.005)))
    low, high = limits(x, y, tail)
    assert [low[0], high[0]] == pytest.approx(np.quantile(pairs, [tail, 1 - tail]))
    edges = [0.0, 20.0, float(pairs[7]), 101.0]
    assert shares_above(x, y, edges)[0] == pytest.approx([(pairs >= e).mean() for e in edges])


@pytest.mark.parametrize("n", [5_000, 60_000, 3_000_000])
def test_interpolated_quantiles_equal_the_exact_ones(n):
    count = np.unique(np.array([0, 1, 29, 30, 31, n // 100, n // 3, n - 31, n - 1, n], float))
    size = np.full(len(count), float(n))
    levels = (np.arange(201) + 0.5) / 201
    exact = betaincinv(count[:, None] + 0.5, size[:, None] - count[:, None] + 0.5, levels)
    assert beta_quantiles(count, size) == pytest.approx(exact, rel=1e-7)
    assert (np.diff(beta_quantiles(count, size), axis=1) >= 0).all()
