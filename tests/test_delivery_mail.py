"""What a mail says: made from small notebooks, read back, and looked at by a real Chromium."""

from __future__ import annotations

import base64
import re
import struct
import zlib
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import nbformat.v4 as nb
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import escape

from senderscore_nb import charts
from senderscore_nb.policy import load_policy
from senderscore_nb.reports.blocks import Column, Figure, Notice, Prose, Summary, Table, count
from senderscore_nb.reports.clean import clean_html
from senderscore_nb.reports.mail import MailBody, mail_body, subject
from senderscore_nb.reports.mail.parts import Grid, Line, parse_html
from senderscore_nb.reports.notebooks import find_notebook
from senderscore_nb.reports.runners import Job, KernelRunner
from senderscore_nb.score import score
from tests.browser import Visit, browser
from tests.conftest import MONDAY, tally_rows
from tests.hostile import NAMES

pytestmark = pytest.mark.xdist_group("mail")


def shown(block: Any, *tags: str) -> Any:
    """A code cell that displayed a block."""
    bundle = (
        block._repr_mimebundle_()
        if hasattr(block, "_repr_mimebundle_")
        else {"text/html": block._repr_html_()}
    )
    output = nb.new_output("display_data", data=bundle)
    return nb.new_code_cell("", outputs=[output], metadata={"tags": list(tags)})


def words(text: str, *tags: str) -> Any:
    return shown(Prose([text]), *tags)


def heading(text: str) -> Any:
    return nb.new_markdown_cell(text)


def notebook(*cells: Any) -> Any:
    return nb.new_notebook(cells=[heading("# A report"), *cells])


def table(rows: int, name: str = "row") -> Table:
    frame = pl.DataFrame({"who": [f"{name} {i}" for i in range(rows)], "n": list(range(rows))})
    return Table(frame, [Column("who", "Who"), Column("n", "Count", count)], "Everyone")


def gauge(name: str = "Ann") -> Figure:
    rows = score(tally_rows(("7", "1", MONDAY, 500, 40, 5)), by="user")
    rows = rows.with_columns(user_label=pl.lit(name))
    policy = load_policy()
    narrow = charts.gauge(rows, policy, width=320)
    return Figure(charts.with_narrow(charts.gauge(rows, policy), narrow), "The arc.", table(1))


class Elements(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


def assert_harmless(body: MailBody) -> None:
    """No script, nothing from outside, every picture there and named."""
    elements = Elements(body.html)
    assert not {"script", "link", "iframe", "form", "object", "base"} & {
        t for t, _ in elements.found
    }
    for _, attributes in elements.found:
        assert not [name for name in attributes if name.startswith("on")]
        assert "url(" not in (attributes.get("style") or "")
    sources = [a["src"] for a in elements.of("img")]
    assert sources == [f"cid:{p.cid}" for p in body.pictures]
    assert not [a for _, a in elements.found if a.keys() & {"background", "srcset", "poster"}]
    assert re.findall(r"(?i)@import|url\(", body.html) == []
    assert len(body.html.encode()) < 100_000
    for picture in body.pictures:
        width, _ = struct.unpack(">II", picture.png[16:24])
        assert picture.png.startswith(b"\x89PNG\r\n")
        assert width >= picture.width
        assert picture.alt


def test_tagged_cells_stand_under_their_headings():
    body = mail_body(
        notebook(
            words("the lead"),
            heading("## One & all\n\nprose of one"),
            words("left out"),
            heading("## Two"),
            heading("### Two a"),
            words("in two a", "mail"),
            words("again in two a", "mail"),
            heading("### Two b"),
            words("in two b", "mail"),
            heading("## Three"),
            words("left out too"),
        )
    )
    lines = [line for line in body.text.splitlines() if line and not set(line) <= set("=-.")]
    assert lines == ["A report", "Two", "Two a", "in two a", "again in two a", "Two b", "in two b"]
    tags = re.findall(r"<(h[1-3])[^>]*>([^<]+)", body.html)
    assert tags == [("h1", "A report"), ("h2", "Two"), ("h3", "Two a"), ("h3", "Two b")]
    assert "left out" not in body.html


def test_without_tags_it_is_the_lead_and_the_first_section():
    body = mail_body(
        notebook(
            words("the lead"), heading("## One & &lt;all&gt;"), words("in one"), heading("## Two")
        )
    )
    assert [w in body.text for w in ("the lead", "One & <all>", "in one", "Two")] == [True] * 3 + [
        False
    ]
    assert "One &amp; &lt;all&gt;" in body.html


@pytest.mark.parametrize(
    "empty",
    [nb.new_notebook(), notebook(), notebook(heading("## One")), notebook(words("", "mail"))],
)
def test_an_empty_notebook_is_a_short_mail(empty):
    body = mail_body(empty)
    assert_harmless(body)
    assert body.subject == body.text.splitlines()[0]


def test_notices_stand_on_top():
    notices = [Notice("alert", "Ann <fell>"), Notice("provisional", "Not complete")]
    body = mail_body(notebook(words("the lead")), notices=notices)
    places = [
        body.html.index(w) for w in ("Alert:", "Ann &lt;fell&gt;", "Provisional:", "the lead")
    ]
    assert places == sorted(places)
    assert "ALERT: Ann <fell>\n\nPROVISIONAL: Not complete\n\nthe lead" in body.text
    other = mail_body(notebook(), notices=[Notice("over", "Bob"), Notice("else", "Eve")])
    assert "OVER: Bob\n\nNOTE: Eve" in other.text
    many = mail_body(notebook(), notices=[Notice("alert", "x" * 9_999)] * 30)
    assert "20 more in the full report" in many.text
    assert_harmless(many)


def test_the_line_about_the_full_report_is_at_both_ends():
    body = mail_body(notebook(words("the lead")))
    linked = body.pointing("Open it", "https://r.example/?a=1&b=<2>")
    assert linked.html.count('href="https://r.example/?a=1&amp;b=&lt;2&gt;"') == 2
    assert linked.html.index("Open it") < linked.html.index("the lead")
    assert linked.html.rindex("Open it") > linked.html.index("the lead")
    assert linked.text.count("https://r.example/") == 2
    assert body.pointing("<It> is attached").html.count("&lt;It&gt; is attached") == 2


def test_the_subject_names_period_and_headline():
    row = {"user_label": "Ann", "status": "no_paid_seat", "ended": 3}
    assert subject("R", {"period": "2026-11", "week": "2026-W46"}) == "R: 2026-11"
    assert subject("R", {"week": "2026-W46", "sender": [row]}) == (
        "R: 2026-W46 – Ann: no score without a paid seat (3 ended enrollments)"
    )
    assert subject("R", {"everyone": [{"other": 1}]}) == "R"
    assert subject("R", None) == "R"
    twin = Summary({"week": "2026-W01", "headline": "fine\r\nBcc: x"})
    made = mail_body(notebook(words("lead"), shown(twin, "mail")))
    assert made.subject == "A report: 2026-W01 – fine Bcc: x"
    assert len(subject("t" * 90, {"week": "w" * 90})) == 150


def test_a_table_has_twenty_rows_and_says_how_many_more():
    body = mail_body(notebook(shown(table(25), "mail")))
    assert body.html.count("<tr") == 21
    for said in (body.html, body.text):
        assert "… and 5 more in the full report" in said
        assert "row 19" in said
        assert "row 20" not in said
    whole = mail_body(notebook(shown(table(20), "mail")))
    assert "more in the full report" not in whole.html
    lines = whole.text.splitlines()
    start = lines.index("Everyone")
    assert lines[start + 1 : start + 4] == ["Who     Count", "------  -----", "row 0       0"]


def test_a_wide_table_is_a_list_of_names_and_values():
    names = [f"a long name of a column {i}" for i in range(5)]
    frame = pl.DataFrame({name: [f"value {name[-1]}"] for name in names})
    body = mail_body(notebook(shown(Table(frame, [Column(n, n) for n in names]), "mail")))
    assert f"value 0\n  {names[1]}: value 1\n  {names[2]}: value 2" in body.text
    assert Elements(body.html).of("table")[0]["class"] == "wide"


def test_it_stays_below_what_mail_programs_cut():
    cells = [shown(table(60, "x" * 380 + f" {i}"), "mail") for i in range(30)]
    body = mail_body(notebook(*cells))
    assert_harmless(body)
    assert re.search(r"… and 5\d more in the full report", body.html)
    prose = mail_body(notebook(*[words(f"{i} " + "<&>" * 2_000, "mail") for i in range(60)]))
    assert_harmless(prose)
    assert "The rest is in the full report." in prose.html
    assert "</html>" in prose.html
    pictures = mail_body(notebook(shown(gauge("n" * 50), "mail"), shown(gauge(), "mail"), *cells))
    assert len(pictures.pictures) == 2
    assert_harmless(pictures)


def test_a_chart_is_a_picture_for_phones_with_its_description():
    body = mail_body(notebook(shown(gauge(), "mail")))
    (picture,) = body.pictures
    (image,) = Elements(body.html).of("img")
    width, height = struct.unpack(">II", picture.png[16:24])
    assert int(image["width"]) == picture.width == width // 2
    assert 300 <= picture.width <= 420
    assert height > 200
    assert "Ann" in image["alt"]
    assert "score" in image["alt"]
    assert "[Chart: " in body.text
    assert "The arc." in body.text
    assert pixels(picture.png)  # every line of it can be unpacked
    assert mail_body(notebook(shown(gauge(), "mail"))).pictures == body.pictures


def pixels(png: bytes) -> bool:
    place, found = 8, b""
    while place < len(png):
        (length,) = struct.unpack(">I", png[place : place + 4])
        kind, data = png[place + 4 : place + 8], png[place + 8 : place + 8 + length]
        (crc,) = struct.unpack(">I", png[place + 8 + length : place + 12 + length])
        assert crc == zlib.crc32(kind + data)
        found += data if kind == b"IDAT" else b""
        place += 12 + length
    width, height = struct.unpack(">II", png[16:24])
    return len(zlib.decompress(found)) == height * (4 * width + 1)


def test_a_wide_chart_is_made_narrower_and_one_that_cannot_be_drawn_is_said():
    def cell(spec: dict[str, Any]) -> Any:
        output = nb.new_output("display_data", data={"application/vnd.vegalite.v6+json": spec})
        return nb.new_code_cell("", outputs=[output], metadata={"tags": ["mail"]})

    spec = {
        "description": "Two bars",
        "data": {"values": [{"a": "x", "b": 1}, {"a": "y", "b": 2}]},
        "mark": "bar",
        "width": 900,
        "encoding": {"x": {"field": "b", "type": "quantitative"}},
    }
    body = mail_body(notebook(cell(spec)))
    assert 380 <= body.pictures[0].width <= 430
    outside = {**spec, "data": {"url": "http://127.0.0.1:9/data.json"}}
    broken = mail_body(notebook(cell(outside), cell({"mark": 7, "description": "None"})))
    assert broken.pictures == ()
    assert "Chart: Two bars" in broken.text
    assert "Chart: None" in broken.text


def test_other_outputs_are_shown_as_they_are():
    png = base64.b64encode(mail_body(notebook(shown(gauge(), "mail"))).pictures[0].png).decode()
    outputs = [
        nb.new_output("stream", name="stdout", text="printed <b>\n  indented"),
        nb.new_output("stream", name="stderr", text="a warning"),
        nb.new_output("execute_result", data={"text/plain": "'plain'"}),
        nb.new_output("display_data", data={"image/png": png, "text/plain": "<Figure>"}),
        nb.new_output("display_data", data={"image/png": "bm90IGEgcG5n", "text/plain": "no png"}),
        nb.new_output("error", ename="KeyError", evalue="'x'"),
    ]
    body = mail_body(notebook(nb.new_code_cell("", outputs=outputs, metadata={"tags": ["mail"]})))
    for text in ("printed <b>\n  indented", "'plain'", "no png", "KeyError: 'x'"):
        assert text in body.text
    assert "a warning" not in body.text
    assert len(body.pictures) == 1
    assert "printed &lt;b&gt;" in body.html
    assert_harmless(body)


def test_html_is_read_as_parts():
    parts = parse_html(
        clean_html(
            "<p>a <b>b</b> <a href='https://x.example'>c</a><br>d</p><ul><li>e<li>f</ul>"
            "<table><caption>g</caption><thead><tr><th>h</th></tr></thead>"
            "<tr><td>i<table><tr><td>j</td></tr></table></td></tr></table>"
            "<pre> k\n  l</pre><h4>m</h4>n<script>o</script>"
        )
    )
    said = [(p.kind, p.run.text) for p in parts if isinstance(p, Line)]
    assert said == [
        ("p", "a b c (https://x.example)\nd"),
        ("li", "e"),
        ("li", "f"),
        ("pre", " k\n  l"),
        ("h3", "m"),
        ("p", "n"),
    ]
    (grid,) = [p for p in parts if isinstance(p, Grid)]
    assert grid.caption.text == "g"
    assert [c.run.text for c in grid.head] == ["h"]
    assert [c.run.text.split() for row in grid.rows for c in row] == [["i", "j"]]


@given(st.sampled_from(NAMES) | st.text(max_size=80))
def test_whatever_a_name_is_it_is_text(name):
    frame = pl.DataFrame({"a": [name, "x"], "b": [1, 2]}, strict=False)
    try:
        frame["a"].to_list()
    except UnicodeError:
        return
    cells = [
        words(name, "mail"),
        shown(Table(frame, [Column("a", name), Column("b", "B", count)], name), "mail"),
        heading(f"## {name}"),
        words("x", "mail"),
    ]
    body = mail_body(notebook(*cells), {"week": name}, notices=[Notice("alert", name)])
    assert_harmless(body)
    allowed = {
        *("html", "head", "meta", "title", "style", "body", "div", "h1", "h2", "h3", "p", "strong"),
        *("table", "caption", "thead", "tbody", "tr", "th", "td", "span", "br", "pre", "a", "em"),
        *("code", "b", "i", "sub", "sup", "s", "small", "kbd"),
    }
    assert {tag for tag, _ in Elements(body.html).found} <= allowed
    assert body.html.count("<!--") == 2
    assert body.html.encode()
    assert body.text.encode()
    linked = body.pointing("It", "https://r.example/")
    assert linked.html.count("https://r.example/") == 2


def test_hostile_names_are_shown_escaped():
    name = NAMES[0]
    body = mail_body(notebook(words(name, "mail"), shown(gauge(name), "mail")))
    assert str(escape(name)) in body.html
    assert name in body.text
    assert name in Elements(body.html).of("img")[0]["alt"]


@pytest.fixture(scope="module")
def sender() -> MailBody:
    """The mail of the real sender notebook, as it comes out of its kernel."""
    job = Job(find_notebook("sender"), notices=(Notice("alert", "The score fell."),), mailed=True)
    mail = KernelRunner().make(job).mail
    assert mail is not None
    return mail


def test_the_senders_report_makes_a_mail(sender):
    assert_harmless(sender)
    assert re.fullmatch(r"Sender score.*: .+ – Priya Raman: score .+", sender.subject)
    assert len(sender.pictures) >= 1
    assert "Priya Raman: score" in sender.text
    assert "ALERT: The score fell." in sender.text
    assert "cid:" not in sender.text


def test_half_a_surrogate_pair_is_no_reason_to_fail():
    body = mail_body(
        notebook(
            nb.new_code_cell(
                "",
                outputs=[nb.new_output("stream", name="stdout", text="a\ud800b")],
                metadata={"tags": ["mail"]},
            )
        )
    )
    assert body.html.encode()
    assert body.text.encode()


@pytest.fixture(scope="module")
def chromium():
    with browser() as running:
        yield running


def as_page(body: MailBody, path: Path) -> Path:
    html = body.html
    for picture in body.pictures:
        data = base64.b64encode(picture.png).decode()
        html = html.replace(f"cid:{picture.cid}", f"data:image/png;base64,{data}")
    path.write_text(html, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def wide() -> MailBody:
    """Long words, a table of eight columns, and a chart."""
    names = [f"A column with a name {i}" for i in range(8)]
    frame = pl.DataFrame({n: ["12.3 % (10.1–14.9 %)", "x" * 90] for n in names})
    eight = Table(frame, [Column(n, n) for n in names], "Eight columns")
    cells = [words("long " * 50 + "y" * 300, "mail"), shown(eight, "mail"), shown(gauge(), "mail")]
    notices = [Notice("alert", "The score fell."), Notice("provisional", "Not complete.")]
    body = mail_body(notebook(*cells, shown(table(3), "mail")), notices=notices)
    return body.pointing("Open it", "https://r.example/")


@pytest.mark.browser
@pytest.mark.parametrize("which", ["sender", "wide"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 900])
def test_it_fits_and_its_pictures_are_there(which, width, scheme, request, chromium, tmp_path):
    body = request.getfixturevalue(which)
    context = chromium.new_context(
        offline=True, color_scheme=scheme, viewport={"width": width, "height": 800}
    )
    visit = Visit(context.new_page())
    visit.page.goto(as_page(body, tmp_path / "mail.html").as_uri())
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= width
    loaded = "[...document.images].every(i => i.complete && i.naturalWidth > 1 && i.width > 100)"
    assert visit.page.evaluate(loaded)
    assert len(body.pictures) == visit.page.evaluate("document.images.length") >= 1
    assert visit.outside == []
    assert visit.problems == []
    paper = visit.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert paper == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(20, 24, 31)")
    keys = visit.page.locator("table.wide .key")
    assert keys.count() == (14 if which == "wide" else keys.count())
    if which == "wide":
        assert keys.first.is_visible() == (width == 400)
        place = visit.page.locator("div:has(> table.wide)")
        assert place.evaluate("e => e.scrollWidth <= e.clientWidth")
    context.close()
