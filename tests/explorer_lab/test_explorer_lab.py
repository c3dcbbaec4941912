"""The explorer in a real JupyterLab: every control, pixels and state both, without a network."""

from __future__ import annotations

import re

import pytest

from senderscore_nb.explorer import Model, View
from tests.explorer_lab.conftest import agrees, pick, state

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("explorer-lab")]


def test_it_opens_on_the_whole_account(driver, sample):
    agrees(driver, sample, View())
    assert driver.crumbs == ["All senders"]
    cards = driver.root.locator("button.card")
    assert cards.count() == 16
    first = cards.first.get_attribute("aria-label")
    row = Model(sample).draw().values["list"]["rows"][0]
    assert first.startswith(f"{row['label']}: score {row['text']}")
    needle = cards.first.locator("svg g[transform*=rotate]").get_attribute("transform")
    assert f"rotate({180 * (row['score'] / 100 - 0.5):.2f})" in needle


def test_people_teams_and_sequences_are_searched_and_picked(driver, sample):
    users = pick(driver, "Users")
    users.get_by_label("Search users").fill("amina")
    assert users.locator(".option:visible").count() == 1
    users.locator("input[type=checkbox]").first.check()
    driver.soon()
    users.get_by_label("Search users").fill("1005")
    users.locator("input[type=checkbox]").first.check()
    driver.soon()
    chosen = state(driver)
    assert len(chosen.selection.users) == 2
    assert "1005" in chosen.selection.users
    agrees(driver, sample, View.create(users=chosen.selection.users))
    users.get_by_role("button", name="Clear users").click()
    users.get_by_label("Search users").fill("nobody at all")
    assert "No name matches" in users.inner_text()
    users.get_by_label("Search users").fill("")
    teams = pick(driver, "Teams")
    teams.get_by_text("Nordics").click()
    driver.soon()
    agrees(driver, sample, View.create(teams=["Nordics"]))
    sequences = pick(driver, "Sequences")
    sequences.locator("input[type=checkbox]").first.check()
    driver.soon()
    chosen = state(driver)
    assert len(chosen.selection.sequences) == 1
    agrees(driver, sample, View.create(teams=["Nordics"], sequences=chosen.selection.sequences))


def test_days_by_name_by_typing_and_by_sliding(driver, sample):
    for name in ("Last week", "4 weeks", "Quarter"):
        driver.press(name)
        chosen = state(driver)
        key = {"Last week": 7, "4 weeks": 28, "Quarter": 91}[name]
        assert (chosen.selection.end - chosen.selection.start).days + 1 == key
        pressed = driver.root.get_by_role("button", name=name, exact=True)
        assert pressed.get_attribute("aria-pressed") == "true"
        agrees(driver, sample, chosen)
    first = driver.root.get_by_label("First day", exact=True)
    first.fill("2026-06-01")
    first.press("Tab")
    driver.soon()
    assert str(state(driver).selection.start) == "2026-06-01"
    custom = driver.root.get_by_role("button", name="Custom")
    assert custom.get_attribute("aria-pressed") == "true"
    thumb = driver.root.get_by_label("First day, slider")
    thumb.focus()
    for _ in range(5):
        driver.page.keyboard.press("ArrowRight")
    driver.soon()
    agrees(driver, sample, state(driver))
    assert str(state(driver).selection.start) == "2026-06-06"


def test_date_basis_and_policy(driver, sample):
    driver.root.get_by_label("Dated by").select_option("enrolled_on")
    driver.soon()
    agrees(driver, sample, View(date_basis="enrolled_on"))
    assert "hubspot-article v1" in driver.root.locator(".note").inner_text()
    before = driver.root.locator(".note").inner_text()
    driver.root.get_by_label("Dated by").select_option("ended_on")
    driver.soon()
    assert driver.root.locator(".note").inner_text() != before
    driver.press("Reset filters")
    agrees(driver, sample, View())


def test_open_a_sender_and_a_sequence_and_back_by_mouse_and_by_keyboard(driver, sample):
    driver.root.locator("button.card").first.click()
    driver.soon()
    sender = state(driver).user
    agrees(driver, sample, View(user=sender))
    assert driver.crumbs[1] == sample.user_labels[sender]
    driver.root.locator("button.card").first.focus()
    driver.page.keyboard.press("Enter")
    driver.soon()
    opened = state(driver)
    assert opened.user == sender
    agrees(driver, sample, View(user=sender, sequence=opened.sequence))
    assert driver.root.locator("svg.trend").is_visible()
    rows = Model(sample, opened).draw().values["trend"]["rows"]
    assert driver.root.locator("svg.trend circle").count() == len(rows)
    driver.root.locator("nav button").nth(1).click()
    driver.soon()
    assert driver.crumbs == ["All senders", sample.user_labels[sender]]
    driver.root.locator("nav button").first.focus()
    driver.page.keyboard.press("Enter")
    driver.soon()
    agrees(driver, sample, View())
    assert driver.page.locator(".jp-Notebook.jp-mod-editMode").count() == 0


def test_undo_and_redo(driver, sample):
    driver.press("4 weeks")
    driver.tab("Table")
    driver.press("Undo")
    assert state(driver).panel == "gauges"
    driver.press("Undo")
    agrees(driver, sample, View())
    driver.press("Redo")
    assert state(driver).selection.start is not None
    driver.root.get_by_role("tab", name="Gauges").focus()
    driver.page.keyboard.press("Control+z")
    driver.soon()
    agrees(driver, sample, View())
    driver.page.keyboard.press("Control+Shift+z")
    driver.soon()
    assert state(driver).selection.start is not None


PIXEL = """
(canvas, [x, y]) => {
  const scale = canvas.width / canvas.clientWidth;
  return [...canvas.getContext('2d').getImageData(x * scale, y * scale, 1, 1).data.slice(0, 3)];
}
"""


def test_weeks_are_brushed_and_filter_the_rest(driver, sample):
    driver.tab("Heatmaps")
    canvas = driver.root.locator("canvas").first
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    plain = canvas.screenshot()
    other = driver.root.locator("canvas").nth(1).screenshot()
    driver.page.mouse.move(box["x"] + 300, box["y"] + 80)
    driver.page.mouse.down()
    driver.page.mouse.move(box["x"] + 350, box["y"] + 90, steps=4)
    driver.page.mouse.move(box["x"] + 420, box["y"] + 90, steps=6)
    driver.page.mouse.up()
    driver.soon()
    brushed = state(driver)
    assert brushed.brush_start.weekday() == 0
    assert brushed.brush_end.weekday() == 6
    assert (brushed.brush_end - brushed.brush_start).days > 14
    agrees(driver, sample, brushed)
    assert canvas.screenshot() != plain
    assert driver.root.locator("canvas").nth(1).screenshot() != other
    driver.tab("Table")
    agrees(driver, sample, brushed.updated(panel="table"))
    driver.tab("Heatmaps")
    driver.press("Clear the brush")
    agrees(driver, sample, View(panel="heatmaps"))


def test_the_heatmap_by_keyboard_says_where_it_is(driver, sample):
    driver.tab("Heatmaps")
    canvas = driver.root.locator("canvas").first
    said = driver.root.locator(".heatbox .said").first
    canvas.focus()
    for key in ("Home", "ArrowRight", "ArrowDown"):
        driver.page.keyboard.press(key)
    frame = Model(sample, View(panel="heatmaps")).draw().values["weeks"]
    assert said.inner_text().startswith(frame["rows"][1]["label"])
    assert frame["columns"][1]["label"] in said.inner_text()
    driver.page.keyboard.press(" ")
    driver.soon()
    assert str(state(driver).brush_start) == frame["columns"][1]["id"]
    canvas.focus()
    for _ in range(2):
        driver.page.keyboard.press("Shift+ArrowRight")
        driver.soon()
    assert (state(driver).brush_end - state(driver).brush_start).days == 20
    canvas.focus()
    driver.page.keyboard.press("Escape")
    driver.soon()
    assert state(driver).brush_start is None
    canvas.focus()
    driver.page.keyboard.press("Enter")
    driver.soon()
    assert state(driver).user == frame["rows"][1]["id"]


def test_cells_have_the_colours_of_their_bands(driver, sample):
    driver.tab("Heatmaps")
    drawn = Model(sample, View(panel="heatmaps")).draw()
    weeks, policy = drawn.values["weeks"], drawn.values["policy"]
    states = list(drawn.buffers[weeks["states"]])
    canvas = driver.root.locator("canvas").first
    box = canvas.bounding_box()
    step = (box["width"] - 158 - 14) / len(weeks["columns"])
    for row in (0, 6):
        state_ = states[row * len(weeks["columns"])]
        colour = policy["bands"][state_]["colour"]
        expected = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
        got = canvas.evaluate(PIXEL, [158 + step - 3, 36 + row * 22 + 4])
        assert got == expected


def test_the_table_sorts_and_is_a_table(driver, sample):
    driver.tab("Table")
    driver.press("Enrollments")
    assert state(driver).sort == "ended"
    heads = driver.root.locator("table.ranking thead th")
    assert heads.last.get_attribute("aria-sort") == "descending"
    column = driver.root.locator("table.ranking tbody tr td:last-child").all_inner_texts()
    numbers = [int(text.replace("\u2009", "")) for text in column]
    assert numbers == sorted(numbers, reverse=True)
    driver.press("Enrollments")
    assert heads.last.get_attribute("aria-sort") == "ascending"
    rows = Model(sample, state(driver)).draw().values["list"]["rows"]
    shown = driver.root.locator("table.ranking tbody th").all_inner_texts()
    assert shown == [row["label"] for row in rows]
    driver.root.locator("table.ranking tbody th button").first.click()
    driver.soon()
    assert state(driver).user == rows[0]["id"]


def test_two_selections_side_by_side(driver, sample):
    driver.tab("Compare")
    driver.root.get_by_label("Days", exact=True).select_option("four_weeks")
    driver.soon()
    driver.root.get_by_label("Team", exact=True).select_option("Nordics")
    driver.soon()
    driver.root.get_by_label("Policy there").select_option("hubspot-article")
    chosen = state(driver)
    assert chosen.other.selection.teams == ("Nordics",)
    values = Model(sample, chosen).draw().values["compare"]
    cells = driver.root.locator(".scroll").first.locator("tbody tr").first.locator("td")
    assert cells.nth(0).inner_text() == values["sides"][0]["text"]
    assert cells.nth(1).inner_text() == values["sides"][1]["text"]
    assert cells.nth(4).inner_text() == ("yes" if values["differences"][0]["certain"] else "no")


def test_the_trend_and_its_span(driver, sample):
    driver.tab("Trend")
    line = driver.root.locator("svg.trend .line")
    before = line.get_attribute("d")
    driver.root.get_by_label("Each point covers").select_option("12")
    driver.soon()
    assert state(driver).weeks == 12
    assert line.get_attribute("d") != before
    rows = Model(sample, View(panel="trend", weeks=12)).draw().values["trend"]["rows"]
    assert driver.root.locator("svg.trend circle").count() == len(rows)


def test_nothing_left_says_so_and_offers_the_way_back(driver, sample):
    users = pick(driver, "Users")
    users.get_by_label("Search users").fill("Lucía")
    users.locator("input[type=checkbox]").first.check()
    driver.soon()
    last = driver.root.get_by_label("Last day", exact=True)
    last.fill("2026-03-01")
    last.press("Tab")
    driver.soon()
    empty = driver.root.locator(".empty")
    assert "Nothing is left" in empty.inner_text()
    assert driver.behind.startswith("No enrollments")
    way = empty.get_by_role("button", name=re.compile("^All users"))
    promised = re.sub(r"\D", "", way.inner_text())
    way.click()
    driver.soon()
    assert driver.behind.startswith(f"{promised} enrollments")
    assert not empty.is_visible()
    users.get_by_label("Search users").fill("")
