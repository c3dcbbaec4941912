"""Around the explorer in a real JupyterLab: mistakes, what leaves it, keys, themes, a restart."""

from __future__ import annotations

from pathlib import Path

import pytest

from senderscore_nb.explorer import Data, Model, View
from tests.explorer_lab.conftest import agrees, pick, state
from tests.lab import Driver, axe, use_theme

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("explorer-lab")]


def test_an_error_stands_beside_the_widget_which_stays_usable(driver, lab_folder, sample):
    policy = driver.root.get_by_label("Policy", exact=True)
    policy.evaluate("(node) => node.add(new Option('own.toml', 'own.toml'))")
    policy.select_option("own.toml")
    driver.soon()
    assert "own v2" in driver.root.locator(".note").inner_text()
    (lab_folder / "own.toml").write_text("name = 1", encoding="utf-8")
    driver.press("4 weeks")
    error = driver.root.get_by_role("alert")
    assert "own.toml" in error.inner_text()
    (lab_folder / "own.toml").unlink()
    driver.press("Reset filters")
    assert not error.is_visible()
    agrees(driver, sample, View())


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


def test_code_and_files_leave_it(driver, sample, tmp_path):
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


def test_a_view_is_saved_as_a_report(driver, lab_folder):
    from senderscore_nb.schedule.project import Project

    (lab_folder / "reports.toml").unlink(missing_ok=True)
    teams = pick(driver, "Teams")
    teams.get_by_text("Nordics").click()
    driver.soon()
    plan = lab_folder / "reports.toml"
    for said in (f"Added 'nordics' to {plan}.", "already has a report 'nordics'"):
        driver.press("Save as report")
        assert driver.page.locator("dialog").get_by_label("Name").input_value() == "nordics"
        driver.press("Save")
        assert said in driver.page.locator("dialog [role=status]").inner_text()
        driver.press("Close")
    (report,) = Project.open(lab_folder / "reports.toml").plan.reports
    assert report.selection.teams == ("Nordics",)


@pytest.mark.parametrize("theme", ["JupyterLab Dark", "JupyterLab Light"])
def test_axe_finds_no_serious_violation_in_either_theme(driver, theme):
    use_theme(driver, theme)
    mode = "dark" if "Dark" in theme else "light"
    assert driver.root.get_attribute("data-mode") == mode
    pick(driver, "Users")
    for name in ("Gauges", "Heatmaps", "Trend", "Table", "Compare", "Why"):
        driver.tab(name)
        driver.root.get_by_role("button", name="All", exact=True).hover()
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


def test_a_saved_notebook_shows_the_last_view_without_a_kernel(driver, lab_folder, sample):
    driver.tab("Trend")
    driver.press("4 weeks")
    page = driver.page
    page.wait_for_timeout(5500)  # the picture follows once nothing changes any more
    # The notebook's own keys work while the focus is in the explorer.
    driver.root.get_by_role("tab", name="Trend").focus()
    page.keyboard.press("Control+s")
    page.wait_for_timeout(1500)
    from nbconvert import HTMLExporter

    html, _ = HTMLExporter().from_filename(str(lab_folder / "explore.ipynb"))
    exported = lab_folder / "explore.html"
    exported.write_text(html, encoding="utf-8")
    reader = page.context.browser.new_context(offline=True).new_page()
    reader.goto(exported.as_uri())
    picture = reader.locator("[class^=senderscore-static] img")
    assert picture.count() == 1
    assert picture.evaluate("(img) => img.naturalWidth") > 300
    assert picture.is_visible()
    told = reader.locator("[class^=senderscore-static]").inner_text()
    chosen = state(driver)
    n = Model(sample, chosen).draw().values["enrollments"]
    assert str(n) in told.replace("\u2009", "")
    reader.context.close()
    hidden = page.locator("[class^=senderscore-static]").first
    assert not hidden.is_visible()


def test_a_restart_of_python_is_said_and_running_the_cell_heals_it(driver, sample):
    page = driver.page
    driver.choose("Kernel", "Restart Kernel…")
    page.locator(".jp-Dialog .jp-mod-accept").click()
    page.wait_for_selector(".jp-mod-idle, :text('| Idle')")
    page.wait_for_timeout(1000)
    driver.root.get_by_role("button", name="4 weeks").click()
    driver.settled()
    assert "Python is gone" in driver.root.get_by_role("alert").inner_text()
    Driver(page).run_all()
    page.wait_for_function("() => !document.querySelector('.senderscore-explorer [inert]')")
    agrees(Driver(page).settled(), sample, View())


def test_no_request_left_the_machine_and_nothing_went_wrong(driver, outside, problems):
    assert outside == []
    assert problems == []
