"""What a scheduler calls, how often, and what no scheduler can be told."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from senderscore_nb.errors import PlanError
from senderscore_nb.safe import safe_filename, shown

PROGRAM = "senderscore"

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_UNWRITABLE = {"Cc": "a control character", "Cs": "no valid text", "Zl": "a line break"}
_UNWRITABLE["Zp"] = _UNWRITABLE["Zl"]
_MOST_NAME = 40


@dataclass(frozen=True)
class Target:
    """What a scheduler calls.

    Attributes:
        plan: The plan's file, absolute.
        program: The `senderscore` program, absolute.
        minutes: How often it is called; a divisor of 60, so that every hour is alike.
        secrets: Names of the environment variables that the plan reads secrets from.
        pages: The folder of the pages, as the plan says it: relative to the plan, or absolute.

    Raises:
        PlanError: A scheduler cannot be told this.
    """

    plan: Path
    program: Path
    minutes: int = 15
    secrets: tuple[str, ...] = ()
    pages: str = "reports"

    def __post_init__(self) -> None:
        for path in (self.plan, self.program):
            if not path.is_absolute() or ".." in path.parts:
                raise PlanError(
                    "A scheduler needs whole paths, from the root and without '..'.",
                    where=shown(path),
                )
        for text in (str(self.plan), str(self.program), self.pages):
            _check_text(text)
        if self.minutes not in range(1, 61) or 60 % self.minutes:
            raise PlanError(
                f"Every {self.minutes} minutes does not divide an hour evenly.",
                where="--minutes",
                hint="Take 1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30 or 60.",
            )
        for name in self.secrets:
            if not _VARIABLE.fullmatch(name):
                raise PlanError(
                    f"{shown(name)!r} is not the name of an environment variable.",
                    where=str(self.plan),
                )

    @property
    def folder(self) -> Path:
        """The project's folder."""
        return self.plan.parent

    @property
    def output(self) -> Path:
        """The folder of the pages, absolute."""
        return self.folder / Path(self.pages).expanduser()

    @property
    def name(self) -> str:
        """What the unit is called: ASCII, and another for each plan of this machine.

        >>> Target(Path("/home/anna/sales/reports.toml"), Path("/opt/senderscore")).name
        'senderscore-sales-3fc572'
        """
        digest = hashlib.sha256(str(self.plan).encode()).hexdigest()[:6]
        return f"{PROGRAM}-{safe_filename(self.folder.name[:_MOST_NAME])}-{digest}"

    @property
    def secrets_file(self) -> str:
        """The file for the secrets, below the user's home folder."""
        return f".config/{PROGRAM}/{self.name}.env"

    @property
    def how_secrets(self) -> str:
        """How to make that file, as comments."""
        lines = "  ".join(f"{name}='...'" for name in self.secrets)
        return (
            f"#   (umask 077; mkdir -p ~/.config/{PROGRAM}; touch ~/{self.secrets_file})\n"
            f"# It has a line for each, as: {lines}\n"
        )

    @property
    def arguments(self) -> tuple[str, ...]:
        """What the program is called with."""
        return ("reports", "run", "--due", "--plan", str(self.plan))


def target_of(
    plan: Path, *, minutes: int = 15, secrets: tuple[str, ...] = (), pages: str = "reports"
) -> Target:
    """The target of a plan, with the program of this installation.

    Args:
        plan: The plan's file.
        minutes: How often it is called.
        secrets: Names of the environment variables that the plan reads secrets from.
        pages: The folder of the pages, as the plan says it.

    Raises:
        PlanError: The program is not found, or a scheduler cannot be told this.
    """
    return Target(_whole(plan), _whole(_program()), minutes, tuple(secrets), pages)


def _program() -> Path:
    beside = Path(sys.executable).with_name(PROGRAM)
    found = str(beside) if os.access(beside, os.X_OK) else shutil.which(PROGRAM)
    if not found:
        raise PlanError(
            f"The program {PROGRAM!r} is not found beside Python, nor in PATH.",
            where=str(beside),
            hint="Install it with `pip install senderscore-nb`.",
        )
    return Path(found)


def _whole(path: Path) -> Path:
    """An absolute path. Links in it stay, so that a link that is moved later still works."""
    path = path.expanduser().absolute()
    return path.resolve() if ".." in path.parts else path


def _check_text(text: str) -> None:
    """Refuse what ends a line or cannot be seen: no format could be pasted with it."""
    for character in text:
        what = _UNWRITABLE.get(unicodedata.category(character))
        if _is_no_character(ord(character)):
            what = "no valid text"
        if what:
            raise PlanError(
                f"{character!a} in a path is {what}, which no scheduler can be told.",
                where=shown(text),
                hint="Rename the folder or the file.",
            )


def _is_no_character(code: int) -> bool:
    """Whether Unicode keeps the code free for ever; systemd passes over lines with one."""
    return code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF
