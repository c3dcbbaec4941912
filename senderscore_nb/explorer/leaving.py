"""What leaves the explorer: files, and the picture that a saved notebook keeps."""

from __future__ import annotations

import datetime as dt
import io
from typing import Any

import polars as pl
from markupsafe import Markup

from senderscore_nb.charts import words
from senderscore_nb.errors import SelectionError, SenderScoreError, did_you_mean
from senderscore_nb.explorer.data import Data
from senderscore_nb.explorer.figures import Picture, pictures
from senderscore_nb.explorer.scene import Scene
from senderscore_nb.explorer.state import View
from senderscore_nb.reports.blocks import Column, Figure, Table, count, percent, signed
from senderscore_nb.reports.page import render_page
from senderscore_nb.reports.pictures import data_uri, static_svg, vl_version
from senderscore_nb.safe import safe_filename, spreadsheet_safe
from senderscore_nb.widget.kept import boxed

TITLE = "Sender score explorer: the last view"

FORMS = {"csv": "text/csv", "png": "image/png", "svg": "image/svg+xml", "html": "text/html"}


def export(data: Data, view: View, form: str) -> tuple[str, bytes]:
    """What is seen as a file: its name and its content.

    `csv` holds all rows, on other pages too, in full precision; the charts of `png` and `svg` stand
    below each other, and `html` is a page that opens anywhere and loads nothing.

    Raises:
        SelectionError: There is no such form, the filters leave nothing, or the days are too few.
    """
    if form not in FORMS:
        raise SelectionError(f"There is no export as {form!r}.", hint=did_you_mean(form, FORMS))
    made = pictures(data, view)
    if not made:
        raise SelectionError(
            "There is nothing to export: no enrollment is left under these filters.",
            hint="Take a filter off first.",
        )
    stem = safe_filename(f"senderscore-{view.panel}-{made[0].title}")
    if form == "csv":
        content = _csv(view, made)
    elif form == "html":
        content = _html(data, view, made)
    else:
        content = _svg(made) if form == "svg" else _png(made)
    return f"{stem}.{form}", content


def _csv(view: View, made: list[Picture]) -> bytes:
    buffer = io.BytesIO()
    frames = [picture.rows for picture in made]
    told = {"compare": ("side", ("left", "right")), "heatmaps": ("by", ("week", "sequence"))}
    if view.panel in told:
        column, names = told[view.panel]
        frames = [
            frame.with_columns(pl.lit(name).alias(column))
            for frame, name in zip(frames, names, strict=False)
        ]
    spreadsheet_safe(pl.concat(frames, how="diagonal_relaxed")).write_csv(buffer)
    return buffer.getvalue()


def _together(made: list[Picture]) -> dict[str, Any]:
    """The charts of a view below each other, each under its title, as one specification."""
    specs: list[dict[str, Any]] = []
    datasets: dict[str, Any] = {}
    described = []
    whole: dict[str, Any] = {}
    for picture in made:
        whole = picture.chart.to_dict()
        # Named data has its place at the top.
        datasets |= whole.pop("datasets", {})
        described.append(str(whole.get("description", "")))
        spec = {k: v for k, v in whole.items() if k not in ("config", "$schema", "usermeta")}
        heading = {"text": words.clip(picture.title, 120), "anchor": "start", "frame": "group"}
        specs.append({"title": heading, "hconcat": [spec]})
    return {
        "$schema": whole["$schema"],
        "description": " ".join(described),
        "datasets": datasets,
        "vconcat": specs,
        "spacing": 28,
        "resolve": {"scale": {"color": "independent", "fill": "independent"}},
    }


def _svg(made: list[Picture]) -> bytes:
    return static_svg(_together(made)).encode()


def _png(made: list[Picture]) -> bytes:
    import vl_convert

    from senderscore_nb.charts import theme

    spec = {**_together(made), "config": {**theme("light"), "background": "white"}}
    png: bytes = vl_convert.vegalite_to_png(spec, scale=2, vl_version=vl_version())
    return png


def _html(data: Data, view: View, made: list[Picture]) -> bytes:
    import nbformat

    cells: list[dict[str, Any]] = [
        {"cell_type": "markdown", "metadata": {}, "source": "# Sender score"},
        _cell({"text/html": str(_words(data, view)), "text/plain": ""}),
    ]
    for picture in made:
        if picture.said:
            cells.append(_cell({"text/html": str(_sentences(picture)), "text/plain": ""}))
        figure = Figure(picture.chart, words.clip(picture.title, 120), _table(picture))
        cells.append(_cell(figure._repr_mimebundle_()))
    bare = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4}
    return render_page(nbformat.from_dict(bare)).encode()  # type: ignore[no-untyped-call]


def _cell(bundle: dict[str, Any]) -> dict[str, Any]:
    output = {"output_type": "display_data", "data": bundle, "metadata": {}}
    cell: dict[str, Any] = {"cell_type": "code", "metadata": {}, "execution_count": None}
    return {**cell, "source": "", "outputs": [output]}


def _words(data: Data, view: View) -> Markup:
    scene = Scene.seen(data, view)
    return Markup("<p>{} ended enrollments. Policy {}. Made on {}.</p>").format(
        count(scene.enrollments), scene.policy.label, dt.date.today().isoformat()
    )


def _sentences(picture: Picture) -> Markup:
    return Markup("").join(Markup("<p>{}</p>").format(line) for line in picture.said)


def _table(picture: Picture) -> Table:
    frame = picture.frame
    if "part" in frame.columns:
        named = [("user_label", "Sender"), ("sequence_label", "Sequence")]
        parts = [Column(name, title) for name, title in named if name in frame.columns]
        parts += [
            Column("kind", "What"),
            Column("part", "Points", signed, interval=True),
            Column("certain", "More than noise", lambda v: "yes" if v else "no"),
        ]
        ranked = frame.sort(pl.col("part").abs(), descending=True)
        return Table(ranked, parts, picture.title)
    keys = [("user_label", "Sender"), ("sequence_label", "Sequence"), ("week", "Week")]
    columns = [Column(name, title) for name, title in keys if name in frame.columns]
    columns += [
        Column("score", "Score", lambda v: "–" if v is None else f"{v:.1f}"),
        Column("verdict", "Band"),
        Column("reply_rate", "Replies", percent),
        Column("bounce_rate", "Bounces", percent),
        Column("ended", "Ended", count),
    ]
    if len(columns) == 5:
        frame = frame.with_columns(whose=pl.lit("Everyone"))
        columns.insert(0, Column("whose", "Who"))
    return Table(frame, columns, picture.title)


def picture_html(data: Data, view: View, mark: str) -> str:
    """The view as static charts, for a notebook that is read without a kernel.

    Args:
        data: What is explored.
        view: What is shown.
        mark: Names the widget that hides it where it is alive.
    """
    try:
        made = pictures(data, view)
    except SenderScoreError as error:
        return boxed(mark, TITLE, str(error))
    if not made:
        return boxed(mark, TITLE, "Nothing is left under these filters.")
    parts = [_words(data, view)]
    for picture in made:
        parts.append(_sentences(picture))
        spec = picture.chart.to_dict()
        svg = static_svg({k: v for k, v in spec.items() if k != "config"})
        uri = data_uri(svg)
        parts.append(
            Markup('<figure><figcaption>{}</figcaption><img alt="{}" src="{}"></figure>').format(
                picture.title, str(spec.get("description", picture.title)), uri
            )
        )
    return boxed(mark, TITLE, Markup("").join(parts))
