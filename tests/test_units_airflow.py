"""The DAG's text. tests/airflow/check.py has a real Airflow run it."""

from __future__ import annotations

import ast
import io
import tokenize
from pathlib import Path

import pytest
from hypothesis import example, given

from senderscore_nb.schedule.units import Target, files, unit
from tests.schedulers import HOSTILE, names


def constants(text: str) -> dict[str, object]:
    """The values that stand at the file's top."""
    return {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in ast.parse(text).body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }


@given(name=names)
@example(name="coding: utf-7")
@example(name="'''\"\"\"\\")
@example(name="{x} {{y}} %s")
def test_paths_are_literals_and_nothing_else_changes(name):
    plan, program = Path("/srv", name, name), Path("/opt", name)
    text = unit("airflow", Target(plan, program))
    assert constants(text) == {
        "PROGRAM": str(program),
        "PLAN": str(plan),
        "WORK": str(plan.parent / ".executed"),
        "MOST": 1000,
    }
    assert shape(text) == shape(unit("airflow", Target(Path("/a/b"), Path("/c"))))


def shape(text: str) -> str:
    """The code with every text in it replaced."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            node.value = ""
    return ast.dump(tree)


@pytest.mark.parametrize("name", HOSTILE)
def test_python_reads_it_as_utf8(name):
    """A comment at the top must not say another encoding."""
    ((file, text),) = files("airflow", Target(Path("/srv", name, "p"), Path("/o", name))).items()
    data = text.encode()
    assert tokenize.detect_encoding(io.BytesIO(data).readline)[0] == "utf-8"
    compile(data, file, "exec")
    assert file.isascii()


def test_it_says_how_often_and_never_twice_at_once():
    text = unit("airflow", Target(Path("/srv/p"), Path("/o"), 20, ("A", "B")))
    assert "schedule=timedelta(minutes=20)" in text
    assert "max_active_runs=1" in text
    assert "catchup=False" in text
    assert "# Secrets come from variables of the workers' environment: A, B\n" in text
    assert "shell=True" not in text
