"""Real schedulers for the tests of the units, and paths that are attacks on their formats."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import strategies as st

from senderscore_nb.schedule.units import Target

SBIN = "/usr/local/sbin:/usr/sbin:/sbin"

HOSTILE = (
    "plain",
    "a b",
    " ends with a space ",
    "it's \"quoted\" 'twice'",
    "50% of %h %% %i",
    "\\",
    "a\\\\b\\%c\\'d\\",
    "$HOME ${HOME} $$ $(touch pwned) `touch pwned`",
    "; touch pwned; #&& | > < * ? [a-z] {a,b} ~ !",
    "-rf --plan=x",
    "Ünïcode 名前 🎉 e\u0301 \u202eevil",
    "${{ github.token }} {{ 7 * 7 }} {x} %(x)s",
)
"""Names of folders and files."""

_TRICKY = st.sampled_from("'\"\\%$`;#&|<>(){}[]*?~!=-: @+,")
names = (
    st.lists(
        st.one_of(
            _TRICKY,
            st.characters(
                exclude_categories=("Cc", "Cs", "Cn", "Zl", "Zp"), exclude_characters="/"
            ),
        ),
        min_size=1,
        max_size=24,
    )
    .map("".join)
    .filter(lambda name: name not in (".", ".."))
)
"""Any name of a folder or file that a unit can be written for."""

PROGRAM = """\
#!/bin/sh
here=${0%/*}
printf '%s\\0' "$0" "$@" "secret: $SMTP_PASSWORD" "in: $PWD" >"$here/got.tmp"
mv -- "$here/got.tmp" "$here/got"
echo ran
"""
"""Stands for the program: it writes what it was called with beside itself."""


def target_in(folder: Path, name: str, **more: object) -> Target:
    """A target whose folders, plan and program all have the name, with a program that is there."""
    project, programs = folder / name, folder / f"{name} bin"
    project.mkdir(parents=True, exist_ok=True)
    programs.mkdir(exist_ok=True)
    plan, program = project / f"{name}.toml", programs / f"{name}.sh"
    plan.touch()
    program.write_text(PROGRAM)
    program.chmod(0o755)
    return Target(plan, program, **more)  # type: ignore[arg-type]


def got(target: Target) -> list[str]:
    """What the program was called with, its own path first; then the secret and the folder."""
    return (target.program.parent / "got").read_bytes().decode().split("\0")[:-1]


def called(target: Target) -> list[str]:
    """What it should have been called with."""
    return [str(target.program), "reports", "run", "--due", "--plan", str(target.plan)]


def tool(name: str) -> str:
    """A scheduler's program; where it is missing the test is skipped, and fails where CI is set."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:{SBIN}")
    if found is None:
        _missing(f"{name} is not there; see tests/install_schedulers.sh")
    return str(found)


def apart() -> list[str]:
    """The beginning of a command that runs apart: own mounts and processes, gone with it."""
    command = [*([] if os.getuid() == 0 else ["sudo", "-n"]), "unshare", "--mount", "--pid"]
    command += ["--fork", "--mount-proc", "--kill-child"]
    try:
        possible = subprocess.run([*command, "true"], capture_output=True).returncode == 0
    except FileNotFoundError:
        possible = False
    if not possible:
        _missing("no namespaces of its own can be made here: that needs root and unshare")
    return command


def _missing(why: str) -> None:
    if os.environ.get("CI"):
        pytest.fail(why)
    pytest.skip(why)
