"""What has a scheduler call a project of reports: a text to install, for each of four schedulers.

Whoever calls decides nothing: `senderscore reports run --due` knows what is due, catches up what
was missed and keeps other runs out. So every unit says only what to call, and how often.
"""

from __future__ import annotations

from senderscore_nb.errors import PlanError, did_you_mean
from senderscore_nb.schedule.units.airflow import airflow_files
from senderscore_nb.schedule.units.cron import cron_files
from senderscore_nb.schedule.units.github import github_files
from senderscore_nb.schedule.units.systemd import systemd_files
from senderscore_nb.schedule.units.target import Target, target_of

__all__ = ["KINDS", "Target", "files", "systemd_files", "target_of", "unit"]

_FILES = {
    "cron": cron_files,
    "systemd": systemd_files,
    "github-actions": github_files,
    "airflow": airflow_files,
}

KINDS: tuple[str, ...] = tuple(_FILES)
"""The schedulers that there are units for."""


def files(kind: str, target: Target) -> dict[str, str]:
    """The files of a unit: name → text.

    Args:
        kind: One of `KINDS`.
        target: What is called, and how often.

    Raises:
        PlanError: There is no such scheduler, or it cannot call this.
    """
    if kind not in _FILES:
        raise PlanError(f"There is no scheduler {kind!r}.", hint=did_you_mean(kind, KINDS))
    return _FILES[kind](target)


def unit(kind: str, target: Target) -> str:
    """A unit as one text to paste; where it has several files, each begins with its name.

    Args:
        kind: One of `KINDS`.
        target: What is called, and how often.

    Raises:
        PlanError: There is no such scheduler, or it cannot call this.
    """
    made = files(kind, target)
    if len(made) == 1:
        return next(iter(made.values()))
    return "\n".join(f"# ===== {name} =====\n{text}" for name, text in made.items())
