"""Another policy for reports of a plan; comments and order of its file stay."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from senderscore_nb.errors import PlanError
from senderscore_nb.policy import load_policy, preset_names
from senderscore_nb.safe import write_atomically
from senderscore_nb.schedule.plan import parse_plan
from senderscore_nb.schedule.project import Project


def use_policy(path: str | Path, policy: str | Path, reports: Sequence[str] = ()) -> Project:
    """Have reports of a plan scored with a policy.

    Args:
        path: The plan's file, or its folder.
        policy: A preset's name, or the path of a TOML file, from here. In the plan it stands
            relative to the plan's folder where it lies in there.
        reports: Names of the reports; all of them unless given.

    Returns:
        The plan as it is now.

    Raises:
        PlanError: The plan cannot be read or written, or has no such report.
        PolicyError: There is no such policy, or it is not valid.
    """
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    project = Project.open(path)
    load_policy(policy)
    chosen = [project.plan.report(name).name for name in reports]
    if not project.plan.reports:
        raise PlanError(
            "The plan has no reports that could use it.",
            where=str(project.path),
            hint="Add one first, such as with the explorer's 'Save as report'.",
        )
    named = _named(project, policy)
    try:
        document = tomlkit.parse(project.path.read_text(encoding="utf-8"))
        for report in document["reports"]:
            if not chosen or report["name"] in chosen:
                report["policy"] = named
        text = tomlkit.dumps(document)
        changed = Project(project.path, parse_plan(text, where=str(project.path)))
        write_atomically(project.path, text)
    except (OSError, TOMLKitError, AttributeError, KeyError, TypeError) as error:
        raise PlanError(f"The plan cannot be changed ({error}).", where=str(project.path)) from None
    return changed


def _named(project: Project, policy: str | Path) -> str:
    """A policy as the plan names it."""
    if str(policy) in preset_names():
        return str(policy)
    file = Path(policy).expanduser().absolute()
    folder = project.folder.resolve()
    inside = file.resolve()
    named = os.path.relpath(inside, folder) if inside.is_relative_to(folder) else str(file)
    # A file that is called like a preset would be taken for it.
    return f"./{named}" if named in preset_names() else named
