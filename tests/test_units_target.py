"""What a unit can be written for, and what is refused."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import given

from senderscore_nb.errors import PlanError
from senderscore_nb.schedule.units import KINDS, Target, files, systemd_files, target_of, unit
from senderscore_nb.schedule.units import target as target_module
from tests.schedulers import names

PLAN, PROGRAM = Path("/srv/sales/reports.toml"), Path("/opt/bin/senderscore")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "character", ["\n", "\r", "\0", "\x1b", "\x7f", "\x85", "\u2028", "\u2029", "\ud800", "\uffff"]
)
@pytest.mark.parametrize("where", ["plan", "program", "pages"])
def test_what_ends_a_line_or_cannot_be_seen_is_refused(kind, character, where):
    values = {"plan": PLAN, "program": PROGRAM, "pages": "reports"}
    values[where] = type(values[where])(f"{values[where]}{character}x")
    with pytest.raises(PlanError, match=r"in a path is .*Rename") as caught:
        unit(kind, Target(**values))
    assert character not in str(caught.value)


@pytest.mark.parametrize("path", ["reports.toml", "../reports.toml", "/srv/../etc/reports.toml"])
def test_paths_are_whole(path):
    with pytest.raises(PlanError, match="whole paths"):
        Target(Path(path), PROGRAM)
    with pytest.raises(PlanError, match="whole paths"):
        Target(PLAN, Path(path))


@pytest.mark.parametrize("minutes", [-5, 0, 7, 25, 45, 59, 61, 120])
def test_minutes_divide_an_hour(minutes):
    with pytest.raises(PlanError, match=rf"{minutes} minutes.*Take 1, 2, 3"):
        Target(PLAN, PROGRAM, minutes)


def test_the_hint_names_every_number_of_minutes_that_works():
    for minutes in (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60):
        assert Target(PLAN, PROGRAM, minutes).minutes == minutes


@pytest.mark.parametrize("name", ["", "a b", "1A", "A=1", "A\nB", "${{x}}", "Ä"])
def test_secrets_are_names_of_variables(name):
    with pytest.raises(PlanError, match="environment variable"):
        Target(PLAN, PROGRAM, secrets=(name,))


def test_an_unknown_kind_is_named_with_those_that_exist():
    with pytest.raises(PlanError, match=r"'systemdd'.*'systemd'"):
        unit("systemdd", Target(PLAN, PROGRAM))


def test_a_unit_is_its_files():
    target = Target(PLAN, PROGRAM)
    for kind in KINDS:
        text = unit(kind, target)
        for name, content in files(kind, target).items():
            assert content in text
            assert name in text or kind != "systemd"
    assert files("systemd", target) == systemd_files(target)
    assert [Path(name).suffix for name in systemd_files(target)] == [".service", ".timer"]


@given(name=names)
def test_a_units_name_is_plain_whatever_the_folder(name):
    plain = Target(Path("/srv", name, "reports.toml"), PROGRAM).name
    assert plain.isascii()
    assert plain.replace("-", "").replace("_", "").isalnum()
    assert len(plain) < 120


def test_two_plans_have_two_names():
    plans = ["/a/sales/reports.toml", "/b/sales/reports.toml", "/a/sales/other.toml"]
    assert len({Target(Path(plan), PROGRAM).name for plan in plans}) == 3


def test_the_program_is_the_one_beside_python(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = target_of(Path("reports.toml"), minutes=30, secrets=("A",))
    assert found == Target(
        tmp_path / "reports.toml", Path(sys.executable).with_name("senderscore"), 30, ("A",)
    )
    assert target_of(Path("x/../reports.toml")).plan == tmp_path / "reports.toml"


def test_the_program_may_be_elsewhere_in_path_or_missing(tmp_path, monkeypatch):
    monkeypatch.setattr(target_module.sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(PlanError, match=r"not found.*pip install"):
        target_of(PLAN)
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "senderscore"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert target_of(PLAN).program == program
