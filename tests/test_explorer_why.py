"""The explorer's reasons: those of the definition, in words, and on the page."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from senderscore_nb.drivers import explain_difference, story
from senderscore_nb.errors import SelectionError
from senderscore_nb.explorer import Data, Explorer, Model, View
from senderscore_nb.explorer.comparing import sides_of
from senderscore_nb.explorer.leaving import export
from senderscore_nb.explorer.scene import Scene
from senderscore_nb.explorer.why import explained, split_of
from senderscore_nb.policy import load_policy
from senderscore_nb.selection import Selection
from tests.browser import browser
from tests.explorer_data import data_of, full, tallies, views
from tests.explorer_page import Page
from tests.lab import axe

AUTUMN = {"start": "2026-08-24", "end": "2026-11-15"}


@pytest.fixture(scope="module")
def sample() -> Data:
    return Data.of_paths([])


@given(tallies(), views())
@settings(max_examples=40)
def test_the_reasons_are_those_of_the_tallies(frame, view):
    data = data_of(frame)
    scene = Scene.seen(data, view)
    sides = sides_of(scene, view)
    split = split_of(view)
    got = explained(sides, split)
    counted = data.tallies(scene.policy)
    after = sides.here.selection.apply(counted, data.roster)
    before = sides.there.selection.apply(counted, data.roster)
    shared = sides.there.selection.apply(after, data.roster)
    expected = explain_difference(before, after, scene.policy, by=split, shared=shared)
    assert got is not None
    assert_frame_equal(got.changes, expected.changes)
    assert_frame_equal(got.parts, expected.parts)


@given(tallies(nulls=False), views(), st.sampled_from(("sequence", "user")))
@settings(max_examples=25)
def test_the_steps_lead_from_one_score_to_the_other(frame, view, split):
    view = view.updated(panel="why", split=split)
    values = Model(data_of(frame), view).draw().values
    if "why" not in values or not values["why"]["steps"]:
        return
    rows = values["why"]["steps"]
    assert rows[0]["kind"] == "before"
    assert rows[-1]["kind"] == "after"
    moved = sum(row["part"] for row in rows[1:-1])
    assert rows[0]["end"] + moved == pytest.approx(rows[-1]["end"], abs=0.01)


def test_the_planted_change_of_mix_is_told(sample):
    told = Model(sample, View.create(panel="why", user="1007")).draw().values["why"]
    said = " ".join(told["story"])
    assert "the mix of sequences" in said
    assert "Reactivation" in said
    assert told["split"] == "sequence"
    by_sender = Model(sample, View.create(panel="why", split="user")).draw().values["why"]
    assert "Priya Raman" in " ".join(by_sender["story"])


def test_another_policy_is_another_yardstick(sample):
    sample.policies["mine"] = load_policy().model_copy(update={"name": "mine"})
    view = View.create(panel="why", other={"policy": "mine"})
    told = Model(sample, view).draw().values["why"]
    assert told["steps"] == []
    assert "same policy for both" in told["story"][0]
    with pytest.raises(SelectionError, match="yardsticks"):
        export(sample, view, "png")
    with pytest.raises(SelectionError, match="yardsticks"):
        Explorer(sample, view).code()


def test_what_is_not_known_has_no_reasons():
    unknown = full().with_columns(bounced=pl.lit(None, pl.Int64))
    told = Model(Data.of_tallies(unknown), View(panel="why")).draw().values["why"]
    assert told["steps"] == []
    assert "not known" in told["story"][0]


def test_the_page_that_leaves_tells_the_story(sample):
    view = View.create(panel="why", user="1007", **AUTUMN)
    _, page = export(sample, view, "html")
    scene = Scene.seen(sample, view)
    why = explained(sides_of(scene, view), "sequence")
    assert why is not None
    first, *_ = story(why, labels=sample.labels)
    assert first in page.decode()
    assert "More than noise" in page.decode()


@pytest.mark.browser
@pytest.mark.xdist_group("explorer-front")
def test_the_panel_shows_the_story_and_the_parts_as_a_table(sample):
    with browser() as chromium:
        for wide, dark in ((1200, False), (380, True)):
            plain = chromium.new_page(viewport={"width": wide, "height": 1000})
            page = Page(plain, Explorer(sample, keep_picture=False), dark=dark)
            page.tab("Why")
            page.soon()
            told = page.explorer.model.draw().values["why"]
            assert page.root.locator(".story li").all_inner_texts() == told["story"]
            rows = page.root.locator("table.why tbody tr")
            assert rows.count() == len(told["steps"])
            names = page.root.locator("table.why tbody th").all_inner_texts()
            assert names == [step["label"] for step in told["steps"]]
            page.root.get_by_label("Split by", exact=True).select_option("user")
            page.soon()
            assert page.view.split == "user"
            assert "Priya Raman" in page.root.locator("table.why").inner_text()
            page.root.get_by_label("Team", exact=True).select_option("Overseas")
            page.soon()
            assert page.view.other.selection == Selection(teams=["Overseas"])
            assert axe(page) == []
            assert page.problems == []
