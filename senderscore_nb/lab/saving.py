"""A draft that is a policy → a file of its own, and the reports of a plan."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from senderscore_nb.errors import PolicyError, SenderScoreError
from senderscore_nb.policy import ScoringPolicy, load_policy, preset_names
from senderscore_nb.safe import safe_filename, write_atomically

OWN = "our-thresholds"
"""What a policy that began as a preset is called unless another name is given."""


def file_of(name: str) -> str:
    """A safe file name for a policy.

    >>> file_of("Our thresholds")
    'Our-thresholds.toml'
    """
    return f"{safe_filename(re.sub(r' +', '-', name.strip()))}.toml"


def named(policy: ScoringPolicy, name: str, source: str, version: int) -> ScoringPolicy:
    """A policy under another name, with where its thresholds come from.

    Raises:
        PolicyError: The name is empty, too long, or that of a preset.
    """
    from pydantic import ValidationError

    from senderscore_nb.errors import first_problem

    if name.strip() in preset_names():
        raise PolicyError(f"{name.strip()!r} is the name of a preset.", hint="Choose another name.")
    values = {**policy.model_dump(), "name": name, "source": source.strip(), "version": version}
    try:
        return ScoringPolicy.model_validate(values)
    except ValidationError as error:
        problem = first_problem(error)
        raise PolicyError(f"{problem.key}: {problem.message}.", where="policy") from None


def save_policy(policy: ScoringPolicy, path: str | Path, *, overwrite: bool = False) -> Path:
    """Write a policy to a TOML file that reads back equal; a missing folder is made.

    Args:
        policy: What is written.
        path: The file; its name ends with `.toml`.
        overwrite: Whether an older policy in that file may go.

    Returns:
        The file.

    Raises:
        PolicyError: The file is there already, is no policy, or cannot be written.
    """
    file = Path(path).expanduser()
    if file.suffix != ".toml":
        raise PolicyError(f"A policy's file is named .toml, found {file.name!r}.", where=str(path))
    try:
        if file.exists():
            _may_go(file, overwrite)
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file, policy.to_toml())
        read = load_policy(file)
    except (OSError, ValueError) as error:
        raise PolicyError(f"The policy cannot be written ({error}).", where=str(path)) from None
    if read != policy:
        raise PolicyError("What was written reads back as another policy.", where=str(path))
    return file


def _may_go(file: Path, overwrite: bool) -> None:
    if not overwrite:
        raise PolicyError(
            "This file is there already.",
            where=str(file),
            hint="Choose another name, or say that it may be overwritten.",
        )
    try:
        load_policy(file)
    except SenderScoreError:
        raise PolicyError(
            "This file is not a policy, so it is not overwritten.",
            where=str(file),
            hint="Choose another name.",
        ) from None


def planned(plan: str | Path) -> list[dict[str, str]]:
    """The reports of a plan with the policy of each.

    Raises:
        PlanError: There is no plan, or it is not valid.
    """
    from senderscore_nb.schedule.project import Project

    return [{"name": r.name, "policy": r.policy} for r in Project.open(plan).plan.reports]


def use_in_reports(file: Path, plan: str | Path, reports: Sequence[str] = ()) -> Path:
    """Have reports of a plan scored with a policy's file.

    Args:
        file: The policy.
        plan: The plan's file, or its folder.
        reports: Their names; all of them unless given.

    Returns:
        The plan's file.

    Raises:
        SenderScoreError: The plan or the policy cannot be read, or the plan not be written.
    """
    from senderscore_nb.schedule.using import use_policy

    return use_policy(plan, file, reports).path
