"""Reports: whole, offline, safe, accessible and small; looked at by a real Chromium."""

from __future__ import annotations

import base64
import gzip
import itertools
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner

from senderscore_nb.cli import main
from senderscore_nb.errors import ReportError
from senderscore_nb.reports import run_report
from tests.browser import Visit, browser
from tests.conftest import SAMPLE
from tests.hostile import write_hostile

pytestmark = pytest.mark.xdist_group("report")

ZONE = "Europe/Stockholm"


@pytest.fixture(scope="module")
def weekly(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("weekly")
    made = CliRunner().invoke(
        main, ["report", str(SAMPLE), "--timezone", ZONE, "--output", str(folder)]
    )
    assert made.exit_code == 0, made.output
    assert made.output.split() == [str(p) for p in sorted(folder.iterdir())]
    return folder / "weekly-2026-W46.html"


@pytest.fixture(scope="module")
def sender(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("sender")
    return run_report("sender", {}, folder).page  # its defaults: a sender of the sample


@pytest.fixture(scope="module")
def hostile(tmp_path_factory) -> Path:
    data = write_hostile(tmp_path_factory.mktemp("hostile") / "data")
    return run_report("weekly", {"data": [str(data)]}, data.parent / "out").page


@pytest.fixture(scope="module")
def chromium():
    with browser() as running:
        yield running


class Elements(HTMLParser):
    """Every element of a page, with its attributes."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


def test_it_is_small_and_whole(weekly):
    assert weekly.stat().st_size <= 700_000
    text = weekly.read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE html>")
    assert text.rstrip().endswith("</html>")
    assert len(Elements(text).of("figure")) >= 8


def test_it_answers_the_questions_in_their_order(weekly):
    headings = re.findall(r"<h2[^>]*>([^<]+)</h2>", weekly.read_text(encoding="utf-8"))
    assert headings == [
        "Where do we stand",
        "What changed, and is it more than noise",
        "Who needs attention",
        "Who is collecting",
        "How the sequences do",
        "What would move it",
        "What the data cannot tell",
        "How the numbers are made",
    ]


def test_it_tells_the_planted_story_in_the_right_words(weekly):
    text = weekly.read_text(encoding="utf-8")
    attention = text[text.index('<h2 id="s3-who-needs') : text.index('<h2 id="s4-who-is')]
    assert "Priya Raman" in attention
    assert "bounce rate of" in attention
    collecting = text[text.index('<h2 id="s4-who-is') : text.index('<h2 id="s5-how')]
    assert "Lucía Fernández" in collecting
    assert "28" in collecting
    assert "No paid seat" in collecting
    assert "Fair or Good" in text  # the sender on the edge is not called either


def test_the_twin_has_the_same_figures(weekly):
    from senderscore_nb.reports.weekly import WeeklyReport

    twin = json.loads(weekly.with_suffix(".json").read_text(encoding="utf-8"))
    report = WeeklyReport.open([str(SAMPLE)], timezone=ZONE)
    assert twin["period"] == report.period.name == "2026-W46"
    assert twin["policy_fingerprint"] == report.policy.fingerprint
    assert twin["rows_read"] == twin["rows_accepted"] + twin["rows_rejected"] == 64_059
    expected = {r["user_id"]: r for r in report.senders.iter_rows(named=True)}
    assert {r["user_id"] for r in twin["senders"]} == set(expected)
    html = weekly.read_text(encoding="utf-8")
    for row in twin["senders"]:
        for name in ("ended", "replied", "bounced", "score", "score_low", "reply_rate", "p_good"):
            assert row[name] == expected[row["user_id"]][name]
        assert row["band"] == expected[row["user_id"]]["band"]
        if row["score"] is not None:
            assert f"{row['score']:.1f}" in html
    assert [i["sha256"] in html for i in twin["inputs"]] == [True]


def test_every_figure_has_its_description_and_its_table(weekly, sender):
    for page in (weekly, sender):
        text = page.read_text(encoding="utf-8")
        for figure in re.findall(r"<figure.*?</figure>", text, re.DOTALL):
            alt = Elements(figure).of("img")[0]["alt"]
            assert len(alt) > 40, alt
            assert "<table>" in figure
            assert "<figcaption>" in figure


def test_headings_and_landmarks(weekly):
    text = weekly.read_text(encoding="utf-8")
    elements = Elements(text)
    levels = [int(tag[1]) for tag, _ in elements.found if re.fullmatch(r"h[1-6]", tag)]
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in itertools.pairwise(levels))
    for landmark in ("main", "header", "footer", "nav"):
        assert len(elements.of(landmark)) == 1
    ids = [a["id"] for _, a in elements.found if a.get("id")]
    assert len(ids) == len(set(ids))
    assert elements.of("html")[0]["lang"] == "en"


def test_the_policy_of_the_page_allows_only_what_is_in_it(weekly):
    text = weekly.read_text(encoding="utf-8")
    csp = Elements(text).of("meta")[1]["content"]
    assert "default-src 'none'" in csp
    assert "unsafe" not in csp
    assert "http" not in csp
    runtime = re.search(r'id="runtime">([^<]+)<', text)[1]
    assert b"vegaEmbed" in gzip.decompress(base64.b64decode(runtime))


@pytest.mark.browser
@pytest.mark.parametrize("which", ["weekly", "sender", "hostile"])
def test_it_opens_without_a_network(which, chromium, request):
    page = request.getfixturevalue(which)
    context = chromium.new_context(offline=True, viewport={"width": 1280, "height": 900})
    visit = Visit(context.new_page()).open(page)
    assert visit.outside == []
    assert visit.violations == []
    assert visit.problems == []
    figures = visit.page.locator("figure").count()
    assert visit.page.locator("figure.drawn").count() == figures >= 3
    assert visit.page.locator("figure .live svg").count() == figures
    assert visit.page.evaluate("window.pwned") is None
    context.close()


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_is_wider_than_the_screen(weekly, chromium, width, scheme):
    context = chromium.new_context(
        offline=True, color_scheme=scheme, viewport={"width": width, "height": 800}
    )
    visit = Visit(context.new_page()).open(weekly)
    assert visit.page.evaluate("document.documentElement.dataset.drawn") == scheme
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= width
    context.close()


@pytest.mark.browser
def test_a_tooltip_shows_what_is_under_the_pointer(weekly, chromium):
    context = chromium.new_context(offline=True, viewport={"width": 1280, "height": 900})
    visit = Visit(context.new_page()).open(weekly)
    tooltip = visit.page.locator("#vg-tooltip-element.visible")
    marks = visit.page.locator("#figure-1 .live svg [aria-roledescription]")
    seen = ""
    for i in range(0, marks.count(), 3):
        box = marks.nth(i).bounding_box()
        if not box or box["width"] > 400:
            continue
        visit.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        visit.page.wait_for_timeout(40)
        if tooltip.count():
            seen = tooltip.inner_text()
            break
    assert re.search(r"\d", seen)
    assert visit.violations == []
    context.close()


@pytest.mark.browser
def test_without_scripts_the_pictures_are_there(weekly, chromium):
    context = chromium.new_context(offline=True, java_script_enabled=False)
    page = context.new_page()
    page.goto(weekly.resolve().as_uri())
    pictures = page.locator("figure img")
    assert pictures.count() == page.locator("figure").count()
    for i in range(pictures.count()):
        assert pictures.nth(i).bounding_box()["width"] > 100
    context.close()


@pytest.mark.browser
def test_on_paper_the_pictures_are_shown(weekly, chromium):
    context = chromium.new_context(offline=True)
    visit = Visit(context.new_page()).open(weekly)
    visit.page.emulate_media(media="print")
    assert visit.page.locator("figure img").first.is_visible()
    assert not visit.page.locator("figure .live").first.is_visible()
    context.close()


@pytest.mark.browser
def test_hostile_names_are_text(hostile, chromium):
    context = chromium.new_context(offline=True, viewport={"width": 1280, "height": 900})
    visit = Visit(context.new_page()).open(hostile)
    text = visit.page.inner_text("body")
    for shown in ("<script>window.pwned=1</script>", "{{7*7}}", "../../etc/x", "=HYPERLINK("):
        assert shown in text
    assert "49" not in visit.page.locator("table").first.inner_text().split()
    assert visit.page.evaluate("window.pwned") is None
    scripts = visit.page.locator("body script:not([type])").count()
    assert scripts == 1
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= 1280
    context.close()


def test_hostile_names_stay_in_their_file(hostile):
    assert sorted(p.name for p in hostile.parent.iterdir()) == [
        "weekly-2026-W46.html",
        "weekly-2026-W46.json",
    ]
    twin = json.loads(hostile.with_suffix(".json").read_text(encoding="utf-8"))
    assert twin["senders"]


def test_a_notebooks_own_error_is_one_sentence(tmp_path):
    with pytest.raises(ReportError, match="one sender; 2 were given"):
        run_report("sender", {"users": ["1001", "1003"]}, tmp_path)
    made = CliRunner().invoke(main, ["report", str(tmp_path / "none"), "-o", str(tmp_path)])
    assert made.exit_code == 2
    assert "Traceback" not in made.output
    assert "none" in made.output
    assert list(tmp_path.iterdir()) == []


def test_another_selection_is_another_file(tmp_path):
    """And two reports at once, from a folder that cannot be written to, do not meet."""
    import subprocess
    import sys

    script = "import sys; from senderscore_nb.cli import main; main(sys.argv[1:])"
    base = [sys.executable, "-c", script, "report", str(SAMPLE), "--timezone", ZONE]
    runs = [
        subprocess.Popen(
            [*base, "--output", str(tmp_path), *more],
            cwd="/proc" if Path("/proc").is_dir() else "/",
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for more in (["--team", "Nordics"], ["--weeks", "4"])
    ]
    for run in runs:
        _, complaint = run.communicate(timeout=240)
        assert run.returncode == 0, complaint
        assert complaint == ""
    assert sorted(p.name for p in tmp_path.glob("*.html")) == [
        "weekly-2026-W46-4.html",
        "weekly-2026-W46-Nordics.html",
    ]


def test_a_section_may_be_called_anything():
    import nbformat

    from senderscore_nb.reports.page import build_page

    cells = [
        nbformat.v4.new_markdown_cell(f"## {t}") for t in ("Charts", "Runtime", "Main", "Main")
    ]
    sections = build_page(nbformat.v4.new_notebook(cells=cells))["sections"]
    anchors = [s.anchor for s in sections]
    assert len(set(anchors)) == 4
    assert not set(anchors) & {"charts", "runtime", "main", "figure-1"}
