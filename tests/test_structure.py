"""The shape of the package: imports point one way, and packages stay in their rooms."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

PACKAGE = ROOT / "senderscore_nb"

LAYERS = [
    {"errors", "lazy"},
    {"contract"},
    {"lean", "periods", "policy", "secrets", "selection", "labels", "safe"},
    {"sources", "tally", "packing", "sums", "sample"},
    {"certainty", "quantiles", "store"},
    {"snapshot"},
    {"account"},
    {"score"},
    {"change", "control"},
    {"drivers", "experiment"},
    {"charts"},
    {"reports"},
    {"delivery", "engine"},
    {"schedule"},
    {"widget"},
    {"explorer", "lab"},
    {"output", "progress"},
    {"cli"},
]
"""Rooms from the ground up: a room imports from those below it, and from its own layer."""

ROOMS = {
    "adbc_driver_manager": {"sources"},
    "adbc_driver_postgresql": {"sources"},
    "dataframely": {"contract"},
    "narwhals": {"tally"},
    "duckdb": {"sources"},
    "fastexcel": {"sources"},
    "papermill": {"reports"},
    "nbconvert": {"reports"},
    "nbformat": {"reports", "schedule", "explorer"},
    "jupyter_client": {"reports"},
    "traitlets": {"explorer", "reports", "widget"},
    "bleach": {"reports"},
    "markupsafe": {"reports", "schedule", "explorer", "lab", "widget"},
    "jinja2": {"reports"},
    "altair": {"charts", "reports"},
    "vl_convert": {"reports", "charts", "explorer"},
    "scipy": {"certainty", "change", "control", "drivers", "experiment", "quantiles"},
    "anywidget": {"widget"},
    "voila": {"explorer"},
    "click": {"cli", "output"},
    "filelock": {"schedule", "sources", "store"},
    "httpx": {"delivery", "sources"},
    "idna": {"delivery"},
    "IPython": {"reports", "explorer", "lab", "widget"},
    "ipykernel": {"reports"},
    "keyring": {"secrets"},
    "psutil": {"reports"},
    "pyarrow": {"sources"},
    "pyspark": {"sources"},
    "tenacity": {"delivery", "sources"},
    "tomlkit": {"schedule"},
    "rich": {"output", "progress"},
}
"""A third-party package and the rooms that may import it; what is not named may be anywhere."""

FREE = {"polars", "pydantic", "numpy"}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.append(node.module)
            if node.module == "senderscore_nb":
                found += [f"senderscore_nb.{alias.name}" for alias in node.names]
    return found


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_one_way_and_packages_stay_in_their_rooms(path):
    room = room_of(path)
    if room == "__init__":
        return
    level = next(i for i, layer in enumerate(LAYERS) if room in layer)
    for name in imports(path):
        top, *rest = name.split(".")
        if top == "senderscore_nb":
            below = set().union(*LAYERS[: level + 1])
            assert not rest or rest[0] in below, f"{room} imports {name}"
        elif top not in sys.stdlib_module_names and top not in FREE:
            assert room in ROOMS.get(top, set()), f"{room} imports {name}"


def test_every_room_is_in_the_table():
    rooms = {room_of(p) for p in modules()} - {"__init__"}
    assert rooms == set().union(*LAYERS)


def test_no_file_is_two_rooms():
    long = {str(p): n for p in modules() if (n := len(p.read_text("utf-8").splitlines())) > 320}
    assert not long


def test_importing_the_package_imports_nothing_heavy():
    code = (
        "import sys, senderscore_nb, senderscore_nb.cli;"
        "print([m for m in ('polars', 'altair', 'pydantic', 'numpy', 'scipy', 'papermill', 'rich') "
        "if m in sys.modules])"
    )
    got = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert got.stdout.strip() == "[]"


def test_functions_hide_the_modules_of_their_name():
    code = (
        "import senderscore_nb.score, senderscore_nb.tally, senderscore_nb.change;"
        "from senderscore_nb import score, tally, change;"
        "print(callable(score), callable(tally), callable(change))"
    )
    got = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert got.stdout.split() == ["True"] * 3


def test_every_public_name_is_there():
    import senderscore_nb

    for name in senderscore_nb.__all__:
        assert getattr(senderscore_nb, name) is not None


@pytest.mark.parametrize(
    "path", sorted((ROOT / "notebooks").rglob("*.ipynb")), ids=lambda p: p.name
)
def test_notebooks_are_stored_without_outputs_and_define_nothing(path):
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []
            assert cell["execution_count"] is None
            tree = ast.parse("".join(cell["source"]))
            assert not [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.ClassDef)]


def test_pins_have_names_versions_and_no_addresses():
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        assert re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", line), line
