"""A report's parameters are checked by name and type before anything runs."""

from __future__ import annotations

import nbformat
import pytest

from senderscore_nb.errors import ParameterError, ReportError
from senderscore_nb.reports import find_notebook, notebook_names, run_report
from senderscore_nb.reports.parameters import check_parameters, declared_parameters


def notebook(source: str, tags: tuple[str, ...] = ("parameters",)):
    cell = nbformat.v4.new_code_cell(source, metadata={"tags": list(tags)})
    return nbformat.v4.new_notebook(cells=[cell])


def test_names_and_types_come_from_the_parameters_cell():
    source = 'a: str = ""\nb: list[str] = []\nc: int = 3\nd = 0.5\ne = None\n# done'
    declared = declared_parameters(notebook(source), where="x.ipynb")
    assert list(declared) == list("abcde")
    given = {"a": "x", "b": ["y"], "c": 4, "d": 0.25, "e": {"any": 1}}
    assert check_parameters(given, declared, where="x.ipynb") == given


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"perod": "2026-W46"}, "Did you mean 'period'"),
        ({"period": 46}, "valid string"),
        ({"users": "7"}, "valid list"),
        ({"users": [7]}, "valid string"),
        ({"window_weeks": "12"}, "valid integer"),
        ({"window_weeks": True}, "valid integer"),
        ({"period": ["x" * 1000]}, "…"),
    ],
)
def test_what_is_unknown_or_of_another_type_is_refused(given, says, tmp_path):
    with pytest.raises(ParameterError, match=says) as error:
        run_report("weekly", given, tmp_path)
    assert "weekly.ipynb" in str(error.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (notebook("a = 1", tags=()), "has 0"),
        (notebook("a = (", ("parameters",)), "not valid Python"),
    ],
)
def test_a_notebook_without_a_parameters_cell_is_refused(made, says):
    with pytest.raises(ReportError, match=says):
        declared_parameters(made, where="mine.ipynb")


def test_notebooks_are_found_by_name_or_path(tmp_path):
    assert notebook_names() == ("sender", "weekly")
    assert find_notebook("weekly").name == "weekly.ipynb"
    with pytest.raises(ReportError, match="Did you mean 'weekly'"):
        find_notebook("wekly")
    with pytest.raises(ReportError, match="no such notebook"):
        find_notebook(tmp_path / "mine.ipynb")
    (tmp_path / "bad.ipynb").write_text("{not a notebook")
    with pytest.raises(ReportError, match="Not a notebook"):
        run_report(tmp_path / "bad.ipynb", {}, tmp_path / "out")
