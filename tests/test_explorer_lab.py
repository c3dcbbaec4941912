"""The explorer in a real JupyterLab: every control, pixels and state both, without a network."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from senderscore_nb.explorer import Data, Model, View
from tests.browser import browser
from tests.lab import Driver, lab, notebook

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("explorer-lab")]

CELL = """
from pathlib import Path
from senderscore_nb import load_policy
from senderscore_nb.explorer import Explorer
own = load_policy().model_copy(update={"name": "own", "version": 2})
Path("own.toml").write_text(own.to_toml())
explorer = Explorer(policy="own.toml").update(policy="hubspot-article")
explorer.model.__init__(explorer.data, explorer.view)
explorer
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lab") / "notebooks"
    folder.mkdir()
    (folder / "explore.ipynb").write_text(json.dumps(notebook(CELL)), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def outside() -> list[str]:
    return []


@pytest.fixture(scope="module")
def problems() -> list[str]:
    return []


@pytest.fixture(scope="module")
def opened(place, outside, problems):
    with lab(place) as server, browser() as chromium:
        context = chromium.new_context(viewport={"width": 1500, "height": 1400})
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        page = context.new_page()

        def asked(request) -> None:
            if not request.url.startswith((server.url, "data:", "blob:")):
                outside.append(request.url)

        page.on("request", asked)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(server.address("explore.ipynb"))
        driver = Driver(page).run_all()
        page.keyboard.press("Control+b")
        yield driver


@pytest.fixture
def driver(opened) -> Driver:
    """The explorer on its first view."""
    if opened.page.locator("dialog[open]").count():
        opened.press("Close")
    opened.press("Reset filters")
    return opened


@pytest.fixture(scope="module")
def data() -> Data:
    return Data.of_paths([])


def state(driver: Driver) -> View:
    """The view as Python has it."""
    driver.press("Copy link")
    link = driver.page.locator("dialog textarea").input_value()
    driver.press("Close")
    return View.from_link(link if "=" in link else "")


def agrees(driver: Driver, data: Data, expected: View) -> None:
    """State in Python, and the number of enrollments on the page, are those of a view."""
    assert state(driver) == expected
    n = Model(data, expected).draw().values["enrollments"]
    assert driver.behind.startswith(f"{n} enrollment")


def pick(driver: Driver, title: str):
    node = driver.root.locator("details.pick", has=driver.page.get_by_text(title, exact=True))
    if node.get_attribute("open") is None:
        node.locator("summary").click()
    return node


def test_it_opens_on_the_whole_account(driver, data):
    agrees(driver, data, View())
    assert driver.crumbs == ["All senders"]
    cards = driver.root.locator("button.card")
    assert cards.count() == 16
    first = cards.first.get_attribute("aria-label")
    row = Model(data).draw().values["list"]["rows"][0]
    assert first.startswith(f"{row['label']}: score {row['text']}")
    needle = cards.first.locator("svg g[transform*=rotate]").get_attribute("transform")
    assert f"rotate({180 * (row['score'] / 100 - 0.5):.2f})" in needle


def test_people_teams_and_sequences_are_searched_and_picked(driver, data):
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
    agrees(driver, data, View.create(users=chosen.selection.users))
    users.get_by_role("button", name="Clear users").click()
    users.get_by_label("Search users").fill("nobody at all")
    assert "No name matches" in users.inner_text()
    users.get_by_label("Search users").fill("")
    teams = pick(driver, "Teams")
    teams.get_by_text("Nordics").click()
    driver.soon()
    agrees(driver, data, View.create(teams=["Nordics"]))
    sequences = pick(driver, "Sequences")
    sequences.locator("input[type=checkbox]").first.check()
    driver.soon()
    chosen = state(driver)
    assert len(chosen.selection.sequences) == 1
    agrees(driver, data, View.create(teams=["Nordics"], sequences=chosen.selection.sequences))


def test_days_by_name_by_typing_and_by_sliding(driver, data):
    for name in ("Last week", "4 weeks", "Quarter"):
        driver.press(name)
        chosen = state(driver)
        key = {"Last week": 7, "4 weeks": 28, "Quarter": 91}[name]
        assert (chosen.selection.end - chosen.selection.start).days + 1 == key
        pressed = driver.root.get_by_role("button", name=name, exact=True)
        assert pressed.get_attribute("aria-pressed") == "true"
        agrees(driver, data, chosen)
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
    agrees(driver, data, state(driver))
    assert str(state(driver).selection.start) == "2026-06-06"


def test_date_basis_and_policy(driver, data):
    driver.root.get_by_label("Dated by").select_option("enrolled_on")
    driver.soon()
    agrees(driver, data, View(date_basis="enrolled_on"))
    assert "hubspot-article v1" in driver.root.locator(".note").inner_text()
    before = driver.root.locator(".note").inner_text()
    driver.root.get_by_label("Dated by").select_option("ended_on")
    driver.soon()
    assert driver.root.locator(".note").inner_text() != before
    driver.press("Reset filters")
    agrees(driver, data, View())


def test_open_a_sender_and_a_sequence_and_back_by_mouse_and_by_keyboard(driver, data):
    driver.root.locator("button.card").first.click()
    driver.soon()
    sender = state(driver).user
    agrees(driver, data, View(user=sender))
    assert driver.crumbs[1] == data.user_labels[sender]
    driver.root.locator("button.card").first.focus()
    driver.page.keyboard.press("Enter")
    driver.soon()
    opened = state(driver)
    assert opened.user == sender
    agrees(driver, data, View(user=sender, sequence=opened.sequence))
    assert driver.root.locator("svg.trend").is_visible()
    rows = Model(data, opened).draw().values["trend"]["rows"]
    assert driver.root.locator("svg.trend circle").count() == len(rows)
    driver.root.locator("nav button").nth(1).click()
    driver.soon()
    assert driver.crumbs == ["All senders", data.user_labels[sender]]
    driver.root.locator("nav button").first.focus()
    driver.page.keyboard.press("Enter")
    driver.soon()
    agrees(driver, data, View())
    assert driver.page.locator(".jp-Notebook.jp-mod-editMode").count() == 0


def test_undo_and_redo(driver, data):
    driver.press("4 weeks")
    driver.tab("Table")
    driver.press("Undo")
    assert state(driver).panel == "gauges"
    driver.press("Undo")
    agrees(driver, data, View())
    driver.press("Redo")
    assert state(driver).selection.start is not None
    driver.root.get_by_role("tab", name="Gauges").focus()
    driver.page.keyboard.press("Control+z")
    driver.soon()
    agrees(driver, data, View())
    driver.page.keyboard.press("Control+Shift+z")
    driver.soon()
    assert state(driver).selection.start is not None


PIXEL = """
(canvas, [x, y]) => {
  const scale = canvas.width / canvas.clientWidth;
  return [...canvas.getContext('2d').getImageData(x * scale, y * scale, 1, 1).data.slice(0, 3)];
}
"""


def test_weeks_are_brushed_and_filter_the_rest(driver, data):
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
    agrees(driver, data, brushed)
    assert canvas.screenshot() != plain
    assert driver.root.locator("canvas").nth(1).screenshot() != other
    driver.tab("Table")
    agrees(driver, data, brushed.updated(panel="table"))
    driver.tab("Heatmaps")
    driver.press("Clear the brush")
    agrees(driver, data, View(panel="heatmaps"))


def test_the_heatmap_by_keyboard_says_where_it_is(driver, data):
    driver.tab("Heatmaps")
    canvas = driver.root.locator("canvas").first
    said = driver.root.locator(".heatbox .said").first
    canvas.focus()
    for key in ("Home", "ArrowRight", "ArrowDown"):
        driver.page.keyboard.press(key)
    frame = Model(data, View(panel="heatmaps")).draw().values["weeks"]
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


def test_cells_have_the_colours_of_their_bands(driver, data):
    driver.tab("Heatmaps")
    drawn = Model(data, View(panel="heatmaps")).draw()
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


def test_the_table_sorts_and_is_a_table(driver, data):
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
    rows = Model(data, state(driver)).draw().values["list"]["rows"]
    shown = driver.root.locator("table.ranking tbody th").all_inner_texts()
    assert shown == [row["label"] for row in rows]
    driver.root.locator("table.ranking tbody th button").first.click()
    driver.soon()
    assert state(driver).user == rows[0]["id"]


def test_two_selections_side_by_side(driver, data):
    driver.tab("Compare")
    driver.root.get_by_label("Days", exact=True).select_option("four_weeks")
    driver.soon()
    driver.root.get_by_label("Team", exact=True).select_option("Nordics")
    driver.soon()
    driver.root.get_by_label("Policy there").select_option("hubspot-article")
    chosen = state(driver)
    assert chosen.other.selection.teams == ("Nordics",)
    values = Model(data, chosen).draw().values["compare"]
    cells = driver.root.locator(".scroll").first.locator("tbody tr").first.locator("td")
    assert cells.nth(0).inner_text() == values["sides"][0]["text"]
    assert cells.nth(1).inner_text() == values["sides"][1]["text"]
    assert cells.nth(4).inner_text() == ("yes" if values["differences"][0]["certain"] else "no")


def test_the_trend_and_its_span(driver, data):
    driver.tab("Trend")
    line = driver.root.locator("svg.trend .line")
    before = line.get_attribute("d")
    driver.root.get_by_label("Each point covers").select_option("12")
    driver.soon()
    assert state(driver).weeks == 12
    assert line.get_attribute("d") != before
    rows = Model(data, View(panel="trend", weeks=12)).draw().values["trend"]["rows"]
    assert driver.root.locator("svg.trend circle").count() == len(rows)


def test_nothing_left_says_so_and_offers_the_way_back(driver, data):
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


def test_an_error_stands_beside_the_widget_which_stays_usable(driver, place, data):
    policy = driver.root.get_by_label("Policy", exact=True)
    policy.evaluate("(node) => node.add(new Option('own.toml', 'own.toml'))")
    policy.select_option("own.toml")
    driver.soon()
    assert "own v2" in driver.root.locator(".note").inner_text()
    (place / "own.toml").write_text("name = 1", encoding="utf-8")
    driver.press("4 weeks")
    error = driver.root.get_by_role("alert")
    assert "own.toml" in error.inner_text()
    (place / "own.toml").unlink()
    driver.press("Reset filters")
    assert not error.is_visible()
    agrees(driver, data, View())


def test_a_dragged_slider_loses_and_reorders_nothing(driver):
    from benchmarks.explorer_drive import DRAG

    seen = driver.page.evaluate(DRAG, {"steps": 120})
    assert seen == sorted(seen)
    thumb = driver.root.get_by_label("First day, slider")
    assert thumb.input_value() == "119"
    model = state(driver)
    assert (model.selection.start - Data.of_paths([]).index(
        Data.of_paths([]).policy("hubspot-article")).first).days == 119  # fmt: skip
    driver.press("Undo")
    assert state(driver).selection.start is None


def test_code_and_files_leave_it(driver, data, tmp_path):
    driver.tab("Table")
    driver.press("Copy as code")
    code = driver.page.locator("dialog textarea").input_value()
    assert "charts.ranking(scores, policy)" in code
    driver.press("Copy")
    assert driver.page.evaluate("navigator.clipboard.readText()") == code
    driver.press("Close")
    starts = {"CSV": b"user_id", "PNG": b"\x89PNG", "SVG": b"<svg", "HTML": b"<!DOCTYPE html>"}
    for form, start in starts.items():
        with driver.page.expect_download() as download:
            driver.press(f"Export {form}")
        path = Path(tmp_path / download.value.suggested_filename)
        download.value.save_as(path)
        assert path.suffix == f".{form.lower()}"
        assert path.read_bytes().startswith(start)


SERIOUS = """
async () => {
  const root = document.querySelector('.senderscore-explorer');
  const found = await axe.run(root, {resultTypes: ['violations']});
  if (found.passes.length < 8) throw new Error('axe looked at nothing');
  return found.violations
    .filter((v) => ['serious', 'critical'].includes(v.impact))
    .map((v) => `${v.id}: ${v.nodes.slice(0, 3).map((n) => n.html.slice(0, 160)).join(' | ')}`);
}
"""


def test_a_view_is_saved_as_a_report(driver, place):
    from senderscore_nb.schedule.project import Project

    (place / "reports.toml").unlink(missing_ok=True)
    teams = pick(driver, "Teams")
    teams.get_by_text("Nordics").click()
    driver.soon()
    for said in ("Added 'nordics' to reports.toml", "already has a report 'nordics'"):
        driver.press("Save as report")
        assert driver.page.locator("dialog").get_by_label("Name").input_value() == "nordics"
        driver.press("Save")
        assert said in driver.page.locator("dialog [role=status]").inner_text()
        driver.press("Close")
    (report,) = Project.open(place / "reports.toml").plan.reports
    assert report.selection.teams == ("Nordics",)


def axe(driver: Driver) -> list[str]:
    import axe_playwright_python

    script = Path(axe_playwright_python.__file__).parent / "axe.min.js"
    if not driver.page.evaluate("() => 'axe' in window"):
        driver.page.evaluate(script.read_text(encoding="utf-8"))
    return list(driver.page.evaluate(SERIOUS))


def use_theme(driver: Driver, name: str) -> None:
    page = driver.page
    driver.choose("Settings", "Theme", name)
    light = "false" if "Dark" in name else "true"
    page.wait_for_selector(f"body[data-jp-theme-light='{light}']", state="attached")
    page.wait_for_timeout(300)


@pytest.mark.parametrize("theme", ["JupyterLab Dark", "JupyterLab Light"])
def test_axe_finds_no_serious_violation_in_either_theme(driver, theme):
    use_theme(driver, theme)
    mode = "dark" if "Dark" in theme else "light"
    assert driver.root.get_attribute("data-mode") == mode
    pick(driver, "Users")
    for name in ("Gauges", "Heatmaps", "Trend", "Table", "Compare"):
        driver.tab(name)
        assert axe(driver) == [], name
    paper = driver.root.evaluate("(node) => getComputedStyle(node).backgroundColor")
    assert paper == ("rgb(20, 24, 31)" if mode == "dark" else "rgb(255, 255, 255)")
    driver.press("Copy as code")
    assert axe(driver) == []
    driver.press("Close")


REACHED = """
() => {
  const node = document.activeElement;
  const inside = node.closest('.senderscore-explorer');
  if (!inside) return null;
  const style = getComputedStyle(node);
  const named = node.getAttribute('aria-label') || (node.labels && node.labels[0] && node.labels[0].textContent) || node.textContent;
  return [node.tagName.toLowerCase(), named.trim().slice(0, 40), style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2 || node.type === 'range'];
}
"""  # noqa: E501


def test_the_keyboard_alone_reaches_every_control(driver):
    driver.tab("Table")
    driver.root.locator("nav button").first.focus()
    reached = []
    for _ in range(140):
        driver.page.keyboard.press("Tab")
        at = driver.page.evaluate(REACHED)
        if at is None:
            break
        reached.append(at)
    names = [name for _, name, _ in reached]
    for name in ("Copy as code", "Copy link", "Save as report", "Export HTML", "All", "Last week",
                 "First day", "Last day", "First day, slider", "Last day, slider", "Reset filters",
                 "Table", "Score", "Enrollments"):  # fmt: skip
        assert name in names, (name, names)
    assert any(name.startswith("Users") for name in names)
    assert sum(tag == "select" for tag, _, _ in reached) == 2
    assert all(visible for _, _, visible in reached), [r for r in reached if not r[2]]
    driver.root.get_by_role("tab", name="Table").focus()
    driver.page.keyboard.press("ArrowRight")
    driver.soon()
    assert state(driver).panel == "compare"


def test_a_narrow_place_cuts_nothing(driver):
    page = driver.page
    page.set_viewport_size({"width": 760, "height": 1200})
    try:
        for name in ("Gauges", "Heatmaps", "Trend", "Table", "Compare"):
            driver.tab(name)
            page.wait_for_timeout(150)
            wide = driver.root.evaluate("(node) => [node.scrollWidth, node.clientWidth]")
            assert wide[0] <= wide[1] + 1, name
    finally:
        page.set_viewport_size({"width": 1500, "height": 1400})


def test_a_saved_notebook_shows_the_last_view_without_a_kernel(driver, place, data):
    driver.tab("Trend")
    driver.press("4 weeks")
    page = driver.page
    page.wait_for_timeout(5500)  # the picture follows once nothing changes any more
    driver.choose("File", "Save Notebook")
    page.wait_for_timeout(1500)
    from nbconvert import HTMLExporter

    html, _ = HTMLExporter().from_filename(str(place / "explore.ipynb"))
    exported = place / "explore.html"
    exported.write_text(html, encoding="utf-8")
    reader = page.context.browser.new_context(offline=True).new_page()
    reader.goto(exported.as_uri())
    picture = reader.locator("[class^=senderscore-static] img")
    assert picture.count() == 1
    assert picture.evaluate("(img) => img.naturalWidth") > 300
    assert picture.is_visible()
    told = reader.locator("[class^=senderscore-static]").inner_text()
    chosen = state(driver)
    n = Model(data, chosen).draw().values["enrollments"]
    assert str(n) in told.replace("\u2009", "")
    reader.context.close()
    hidden = page.locator("[class^=senderscore-static]").first
    assert not hidden.is_visible()


def test_no_request_left_the_machine_and_nothing_went_wrong(driver, outside, problems):
    assert outside == []
    assert problems == []
