"""A report's parameters, checked by name and type before anything runs.

A report notebook has one cell tagged `parameters` that assigns annotated defaults. papermill only
warns of a parameter that the notebook does not have, and takes any type; here both are errors.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from senderscore_nb.errors import ParameterError, ReportError, did_you_mean

_TYPES: dict[str, Any] = {
    "str": str,
    "int": int,
    "float": float,
    "bool": bool,
    "list": list,
    "dict": dict,
    "list[str]": list[str],
    "dict[str, list[str]]": dict[str, list[str]],
}


def declared_parameters(notebook: Any, *, where: str) -> dict[str, Any]:
    """Names and types that a notebook's parameters cell declares.

    Args:
        notebook: A notebook node.
        where: Its name, for errors.

    Raises:
        ReportError: No parameters cell, or one that does not parse.
    """
    cells = [
        cell
        for cell in notebook.cells
        if cell.cell_type == "code" and "parameters" in cell.metadata.get("tags", [])
    ]
    if len(cells) != 1:
        raise ReportError(
            f"A report notebook needs one cell tagged `parameters`; this one has {len(cells)}.",
            where=where,
            hint="Tag the cell that assigns the defaults (JupyterLab: property inspector).",
        )
    try:
        tree = ast.parse(cells[0].source)
    except SyntaxError as error:
        raise ReportError(
            f"The parameters cell is not valid Python: {error}.", where=where
        ) from None
    declared: dict[str, Any] = {}
    for node in tree.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            declared[node.target.id] = _TYPES.get(ast.unparse(node.annotation), Any)
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    declared[target.id] = _type_of(node.value)
    return declared


def check_parameters(
    given: Mapping[str, Any], declared: Mapping[str, Any], *, where: str
) -> dict[str, Any]:
    """The parameters, as the notebook will get them.

    Raises:
        ParameterError: An unknown name, or a value of another type than the default's.
    """
    checked = {}
    for name, value in given.items():
        if name not in declared:
            raise ParameterError(
                f"There is no parameter {name!r}.", where=where, hint=did_you_mean(name, declared)
            )
        try:
            checked[name] = TypeAdapter(declared[name]).validate_python(value, strict=True)
        except ValidationError as error:
            problem = error.errors(include_url=False)[0]
            raise ParameterError(
                f"{name}: {problem['msg']}, found {_short(value)}.", where=where
            ) from None
    return checked


def _type_of(node: ast.expr) -> Any:
    try:
        value = ast.literal_eval(node)
    except ValueError:
        return Any
    return Any if value is None else type(value)


def _short(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else shown[:59] + "…"
