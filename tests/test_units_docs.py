"""docs/schedulers.md shows what the code prints."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from senderscore_nb.schedule.units import KINDS, Target, files, unit
from tests.conftest import ROOT

TEXT = (ROOT / "docs" / "schedulers.md").read_text(encoding="utf-8")
PLAIN = Target(Path("/home/anna/sales/reports.toml"), Path("/home/anna/.venv/bin/senderscore"))
SECRET = Target(PLAIN.plan, PLAIN.program, secrets=("SMTP_PASSWORD",))


def block(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)
    return found


@pytest.mark.parametrize(
    ("kind", "language", "target", "whole"),
    [
        ("cron", "text", SECRET, True),
        ("systemd", "ini", PLAIN, True),
        ("github-actions", "yaml", SECRET, False),
        ("airflow", "python", PLAIN, False),
    ],
)
def test_the_examples_are_what_is_printed(kind, language, target, whole):
    shown, printed = block(language), unit(kind, target)
    assert shown == printed if whole else shown in printed
    assert len(shown.splitlines()) >= 7


def test_every_kind_has_a_section_and_commands():
    sections = TEXT.split("\n## ")[1:]
    titles = [section.split("\n")[0].lower().replace(" ", "-") for section in sections]
    assert titles == list(KINDS)
    for kind, section in zip(KINDS, sections, strict=True):
        commands = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)[0].splitlines()
        assert 2 <= len(commands) <= 3
        assert f"senderscore schedule {kind}" in section
        assert all(shlex.split(command, comments=True) for command in commands)


def test_the_names_in_commands_are_those_of_files():
    names = {Path(name).stem for kind in KINDS for name in files(kind, PLAIN)}
    assert set(re.findall(r"senderscore-sales-\w+", TEXT)) <= names
