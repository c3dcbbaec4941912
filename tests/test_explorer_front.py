"""The explorer's own script in a real browser, with data and events that a laboratory lacks."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest

from senderscore_nb.explorer import Data, Explorer, View
from senderscore_nb.policy import load_policy
from tests.browser import browser
from tests.explorer_data import DAYS, MONDAY, ROSTER, full
from tests.explorer_page import Page

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("explorer-front")]


@pytest.fixture(scope="module")
def chromium():
    with browser() as running:
        yield running


@pytest.fixture
def shown(chromium):
    """Shows an explorer on a page of its own; nothing may go wrong on it."""
    pages: list[Page] = []

    def show(data: Data | None = None, *, wide: int = 1200, **values: object) -> Page:
        data = data or Data.of_tallies(full(), roster=ROSTER)
        plain = chromium.new_page(viewport={"width": wide, "height": 1000})
        page = Page(plain, Explorer(data, keep_picture=False, **values))
        pages.append(page)
        return page

    yield show
    for page in pages:
        page.page.close()
        assert page.problems == []


def many(n: int = 60) -> Data:
    rows = full().filter(pl.col("user_id") == "7")
    return Data.of_tallies(pl.concat(rows.with_columns(user_id=pl.lit(f"u{i}")) for i in range(n)))


def pick(page: Page, label: str, value: str) -> None:
    page.root.get_by_label(label, exact=True).select_option(value)
    page.soon()


def test_another_team_or_policy_is_compared_over_the_lefts_own_days(shown):
    data = Data.of_tallies(full(), roster=ROSTER)
    data.policies["ours"] = load_policy().model_copy(update={"name": "ours"})
    page = shown(data, panel="compare")
    days = page.root.get_by_label("Days", exact=True)
    assert days.input_value() == "before"
    pick(page, "Team", "North")
    assert page.view.other.selection.start is None
    assert days.input_value() == "same"
    words = page.root.locator(".half .words").all_inner_texts()
    assert words == ["Left: 2 Mar – 15 Apr 2026", "Right: 2 Mar – 15 Apr 2026 · team North"]
    pick(page, "Team", "=")
    assert page.view.other is None
    pick(page, "Policy there", "ours")
    assert (page.view.other.policy, days.input_value()) == ("ours", "same")
    pick(page, "Days", "before")
    assert page.view.other is None
    assert "later half" in page.root.locator(".above").inner_text()
    page = shown(panel="compare", start=MONDAY + dt.timedelta(days=20))
    pick(page, "Team", "South")
    pick(page, "Days", "before")
    assert page.view.other.selection.end == MONDAY + dt.timedelta(days=19)
    pick(page, "Team", "North")
    assert page.view.other.selection.end == MONDAY + dt.timedelta(days=19)


def test_of_one_sender_no_team_is_compared_with(shown):
    page = shown(panel="compare", user="7")
    assert not page.root.get_by_label("Team", exact=True).is_visible()
    pick(page, "Days", "four_weeks")
    assert page.view.other is not None


def test_python_that_is_gone_is_said_and_nothing_is_kept_waiting(shown):
    page = shown()
    page.page.evaluate("() => { window.dead = true; }")
    page.press("4 weeks")
    assert "Run the cell again" in page.root.get_by_role("alert").inner_text()
    assert page.root.get_attribute("data-busy") == "no"
    assert page.root.locator("header").get_attribute("inert") is not None
    page.page.evaluate("() => document.querySelectorAll('.presets button')[3].click()")
    assert page.root.get_attribute("data-busy") == "no"


def test_python_that_is_silent_is_said_and_an_answer_heals_it(shown):
    page = shown()
    page.page.clock.install()
    page.page.evaluate("() => { window.mute = true; window.asked = []; }")
    page.root.get_by_role("button", name="4 weeks").click()
    page.page.clock.run_for(2000)
    assert page.root.locator(".late").is_visible()
    page.page.clock.run_for(14000)
    assert "not answered for 15 seconds" in page.root.get_by_role("alert").inner_text()
    page.page.evaluate("() => window.ask(window.asked[0]).then(window.answer)")
    page.page.wait_for_function("() => !document.querySelector('[role=alert]:not([hidden])')")
    assert page.view.selection.start is not None


def test_data_of_one_day_leaves_nothing_blank_and_breaks_nothing(shown):
    page = shown(Data.of_tallies(full().filter(pl.col("day") == MONDAY), roster=ROSTER))
    for name in ("Heatmaps", "Trend"):
        page.tab(name)
        offer = page.root.get_by_role("button", name="Show each week by itself")
        assert offer.is_visible()
        assert "needs 4 weeks of data" in page.root.locator(".panel").inner_text()
    page.tab("Heatmaps")
    assert page.root.locator("canvas").first.is_hidden()
    page.page.evaluate("() => document.querySelector('canvas').dispatchEvent(new Event('focus'))")
    page.press("Show each week by itself")
    assert page.view.weeks == 1
    canvas = page.root.locator("canvas").first
    canvas.focus()
    page.page.keyboard.press(" ")
    page.soon()
    assert page.view.brush_start == MONDAY
    page.tab("Compare")
    assert "nothing before it" in page.root.locator(".above").inner_text()
    assert page.root.locator(".half:visible").count() == 1


def test_a_control_that_fails_to_draw_does_not_stay_busy(shown):
    page = shown()
    page.page.evaluate("() => { window.ask2 = window.ask; window.ask = async (request) => {"
                       " const [said, more] = await window.ask2(request);"
                       " said.values.crumbs = null; return [said, more]; }; }")  # fmt: skip
    page.press("4 weeks")
    assert page.root.get_attribute("data-busy") == "no"
    assert page.problems
    page.problems.clear()


def test_keys_on_the_slider_are_coalesced_and_undone_as_one(shown):
    page = shown()
    thumb = page.root.get_by_label("First day, slider")
    thumb.focus()
    page.page.evaluate("() => { window.asked = []; window.mute = true; }")
    for _ in range(20):
        page.page.keyboard.press("ArrowRight")
    assert page.page.evaluate("window.asked.length") == 1
    page.page.evaluate("() => { window.mute = false; window.ask(window.asked[0]).then(answer); }")
    page.soon()
    assert page.page.evaluate("window.asked.length") == 2
    assert page.view.selection.start == MONDAY + dt.timedelta(days=20)
    first = page.page.evaluate("window.asked.at(-1).stroke")
    page.press("Undo")
    assert page.view == View()
    thumb.focus()
    page.page.keyboard.press("ArrowRight")
    page.soon()
    assert page.page.evaluate("window.asked.at(-1).stroke") != first


def test_a_brush_and_what_is_opened_stand_among_the_filters(shown):
    brush = {"brush_start": str(MONDAY), "brush_end": str(MONDAY + dt.timedelta(days=6))}
    page = shown(user="7", sequence="a", **brush)
    chips = page.root.locator(".chips button")
    assert chips.all_inner_texts() == [
        "Opened: Ann\n×",
        "Opened: a\n×",
        "Brushed: 2 Mar – 8 Mar 2026\n×",
    ]
    for name, left in (("Brushed: 2 Mar – 8 Mar 2026", 2), ("Opened: a", 1), ("Opened: Ann", 0)):
        page.press(f"{name}. Take it off")
        assert chips.locator("visible=true").count() == left
    assert page.view == View()


def test_the_pages_turn_as_often_as_they_are_asked_to(shown):
    page = shown(many(), panel="table")
    page.page.evaluate("() => { window.mute = true; window.asked = []; }")
    for _ in range(2):
        page.root.get_by_role("button", name="Next ›").click()
    assert page.root.get_by_role("button", name="Next ›").is_disabled()
    page.page.evaluate("() => { window.mute = false; window.ask(window.asked[0]).then(answer); }")
    page.soon()
    assert page.view.page == 2
    page.page.evaluate("() => { window.mute = true; window.asked = []; }")
    for _ in range(2):
        page.root.get_by_role("button", name="Name", exact=True).click()
    page.page.evaluate("() => { window.mute = false; window.ask(window.asked[0]).then(answer); }")
    page.soon()
    assert (page.view.sort, page.view.descending) == ("name", True)


def test_what_is_empty_opens_nothing_and_only_the_main_button_brushes(shown):
    gap = full().filter((pl.col("user_id") != "7") | (pl.col("sequence_id") != "b"))
    page = shown(Data.of_tallies(gap, roster=ROSTER), panel="heatmaps")
    weeks, pairs = (page.root.locator("canvas").nth(i) for i in (0, 1))
    frame = page.explorer.model.draw().values["pairs"]
    row = [r["id"] for r in frame["rows"]].index("7")
    column = [c["id"] for c in frame["columns"]].index("b")
    at = {"x": 158 + 46 * column + 20, "y": 112 + 22 * row + 11}
    pairs.click(position=at)
    page.soon()
    assert page.view.user == ""
    weeks.click(position={"x": 180, "y": 60}, button="right")
    page.soon()
    assert page.view.brush_start is None
    weeks.click(position={"x": 180, "y": 60})
    page.soon()
    assert page.view.brush_start is not None


def test_reset_takes_filters_off_and_stays_on_the_panel(shown):
    page = shown(teams=["North"], panel="table", sort="ended")
    page.press("Reset filters")
    assert page.view == View.create(panel="table", sort="ended")


def test_the_days_offered_follow_the_date_that_days_cut_on(shown):
    page = shown(Data.of_paths([]))
    first = page.root.get_by_label("First day", exact=True)
    before = first.get_attribute("min"), first.input_value()
    pick(page, "Dated by", "enrolled_on")
    after = first.get_attribute("min"), first.input_value()
    assert after != before
    assert after[0] == after[1]
    page.press("Quarter")
    quarter = page.root.get_by_role("button", name="Quarter")
    assert quarter.get_attribute("aria-pressed") == "true"


def test_why_there_is_no_score_and_what_a_hollow_point_means_is_said(shown):
    unknown = full().with_columns(pl.lit(None, pl.Int64).alias("bounced"))
    page = shown(Data.of_tallies(unknown, roster=ROSTER), panel="trend")
    assert (
        "○ no score: not computable: bounces are not known"
        in page.root.locator(".panel").inner_text()
    )
    label = page.root.locator("svg.trend").get_attribute("aria-label")
    assert "4 not computable: bounces are not known" in label
    page.tab("Gauges")
    assert "bounces are not known" in page.root.locator("button.card").last.inner_text()
    page.tab("Table")
    assert "Not computable: bounces are not known" in page.root.locator("table").inner_text()
    long = pl.concat(
        full().with_columns(pl.col("day") + dt.timedelta(days=DAYS * n)) for n in range(8)
    )
    page = shown(Data.of_tallies(long, roster=ROSTER), panel="trend")
    assert "every fourth week" in page.root.locator(".panel caption").text_content()


def test_a_place_that_narrows_folds_the_filters_and_keeps_the_number_in_sight(shown):
    page = shown(wide=1200)
    side = page.root.locator("details.side")
    assert side.get_attribute("open") is not None
    # Just where the styles change to one column, which the border and the padding take part in.
    page.page.set_viewport_size({"width": 920, "height": 900})
    page.page.wait_for_function("() => !document.querySelector('details.side').open")
    assert "6\u2009480 enrollments behind this view" in side.locator("summary").first.inner_text()
    page.page.set_viewport_size({"width": 1200, "height": 900})
    page.page.wait_for_function("() => document.querySelector('details.side').open")


def test_nothing_is_cut_or_left_alone_on_a_phone(shown, tmp_path):
    path = tmp_path / "a-folder-with-a-long-name" / "own.toml"
    path.parent.mkdir()
    path.write_text(load_policy().model_copy(update={"name": "A policy of our own"}).to_toml())
    page = shown(policy=str(path), wide=380)
    for name in ("Gauges", "Heatmaps", "Trend", "Table", "Compare"):
        page.tab(name)
        wide = page.root.evaluate("(node) => [node.scrollWidth, node.clientWidth]")
        assert wide[0] <= wide[1] + 1, name
    policy = page.root.get_by_label("Policy there")
    assert policy.locator("option:checked").inner_text() == "A policy of our own (own.toml)"
    box = policy.bounding_box()
    assert box["x"] + box["width"] <= 380
    rows: dict[int, int] = {}
    for part in page.root.locator(".together .part").all():
        box = part.bounding_box()
        rows[round(box["y"])] = rows.get(round(box["y"]), 0) + 1
    assert list(rows.values()) == [3, 2]


def test_a_pressed_button_can_be_read_under_the_pointer(shown):
    page = shown()
    pressed = page.root.get_by_role("button", name="All", exact=True)
    pressed.hover()
    ink, paper = pressed.evaluate(
        "(n) => { const s = getComputedStyle(n); return [s.color, s.backgroundColor]; }"
    )
    assert ink != paper
    card = page.root.locator("button.card").first
    card.hover()
    assert card.evaluate("(n) => getComputedStyle(n).color") == page.root.evaluate(
        "(n) => getComputedStyle(n).color"
    )


def test_keys_with_ctrl_reach_the_notebook_and_others_do_not(shown):
    page = shown()
    page.page.evaluate("() => { window.keys = []; document.body.addEventListener('keydown', (e) =>"
                       " window.keys.push([e.key, Boolean(e.target.closest('[data-lm-suppress-shortcuts]'))])); }")  # fmt: skip # noqa: E501
    page.page.evaluate("() => document.addEventListener('keydown', (e) => window.early = Boolean("
                       "e.target.closest('[data-lm-suppress-shortcuts]')), true)")  # fmt: skip
    page.root.get_by_role("tab", name="Gauges").focus()
    for key, reaches in (("a", False), ("Control+s", True), ("Control+z", False), ("x", False)):
        page.page.evaluate("() => { window.keys = []; }")
        page.page.keyboard.press(key)
        heard = [name for name, _ in page.page.evaluate("window.keys") if name != "Control"]
        assert bool(heard) == reaches, key
        assert page.page.evaluate("window.early") is not reaches
