"""The service and the timer: what systemd says of them, and a real user's systemd."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import example, given

from senderscore_nb.schedule.units import Target, systemd_files
from tests.schedulers import HOSTILE, apart, called, got, names, target_in, tool

MINUTES = (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60)


def settings(text: str) -> dict[str, str]:
    """Settings by name, read as systemd reads lines: a backslash at an end goes on."""
    lines = [line for line in text.split("\n") if line and line[0] not in "#;["]
    assert not any(line.endswith("\\") for line in lines)
    return {name: value.strip() for name, _, value in (line.partition("=") for line in lines)}


def words(value: str) -> list[str]:
    """What systemd makes of a line of words, by systemd.syntax(7), specifiers last."""
    found = []
    for quoted, plain in re.findall(r'"((?:[^"\\]|\\.)*)"(?:\s+|$)|([^\s"]+)(?:\s+|$)', value):
        assert "'" not in plain
        assert "\\" not in plain
        found.append(_specified(re.sub(r"\\(.)", _unescaped, quoted) or plain))
    return found


def _unescaped(match: re.Match[str]) -> str:
    assert match[1] in '\\"', match[0]
    return match[1]


def _specified(text: str) -> str:
    """Without the doubling of `%`; a single one would be replaced by something else."""
    assert not text.replace("%%", "").count("%")
    return text.replace("%%", "%")


def _filled_in(text: str) -> str:
    """Without the doubling of `$`; a single one would be a variable."""
    assert not text.replace("$$", "").count("$")
    return text.replace("$$", "$")


def service_of(target: Target) -> dict[str, str]:
    return settings(systemd_files(target)[f"{target.name}.service"])


@given(name=names)
@example(name="\\")
@example(name=' "')
@example(name="%$%%$$")
def test_systemds_rules_give_back_the_same_paths(name):
    target = Target(Path("/srv", name, name), Path("/opt", name), pages=f"/data/{name}")
    service = service_of(target)
    program, *arguments = words(service["ExecStart"])
    command = [program, *map(_filled_in, arguments)]
    # systemd itself refuses such programs; a shell is given their path.
    if command[0] == "/bin/sh":
        assert command[1:3] == ["-c", 'exec "$0" "$@"']
        command = command[3:]
    else:
        assert not set(program) & set("\"'\\")
    assert command == called(target)
    assert _specified(service["WorkingDirectory"]) == f"{target.folder}/"
    assert words(service["ReadWritePaths"]) == [str(target.folder), f"-/data/{name}"]


@pytest.mark.parametrize("name", HOSTILE)
def test_systemd_finds_nothing_wrong(name, tmp_path):
    """It also looks whether a program is there, so it has read its path rightly."""
    verify = [tool("systemd-analyze"), "verify", "--user", "--man=no"]
    target = target_in(tmp_path, name, secrets=("SMTP_PASSWORD",), pages=f"/data/{name}")
    for file, text in systemd_files(target).items():
        (tmp_path / file).write_text(text)
    files = [str(tmp_path / file) for file in systemd_files(target)]
    done = subprocess.run([*verify, *files], capture_output=True, text=True, env=_bare(tmp_path))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    if set(name) & set("\"'\\"):
        return
    target.program.unlink()
    done = subprocess.run([*verify, *files], capture_output=True, text=True, env=_bare(tmp_path))
    assert "not executable" in done.stderr


def _bare(folder: Path) -> dict[str, str]:
    return {**os.environ, "XDG_RUNTIME_DIR": str(folder), "SYSTEMD_COLORS": "0"}


def test_the_calendar_is_every_so_many_minutes():
    analyze = tool("systemd-analyze")
    for minutes in MINUTES:
        target = Target(Path("/srv/p.toml"), Path("/opt/s"), minutes)
        timer = settings(systemd_files(target)[f"{target.name}.timer"])
        command = [analyze, "calendar", "--iterations=3", "--base-time=2026-11-25 10:00:30"]
        done = subprocess.run(
            [*command, timer["OnCalendar"]],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "TZ": "UTC"},
        )
        times = re.findall(r"\d\d:\d\d:\d\d(?= UTC)", done.stdout)[-3:]
        expected = [minutes * n for n in (1, 2, 3)]
        assert times == [f"{10 + n // 60:02}:{n % 60:02}:00" for n in expected], done.stdout
        assert timer["Persistent"] == "true"


@pytest.mark.parametrize(
    ("plan", "private"),
    [("/home/p.toml", True), ("/tmp/p.toml", False), ("/var/tmp/p.toml", False)],  # noqa: S108
)
def test_a_project_in_tmp_is_not_hidden_from_itself(plan, private):
    service = service_of(Target(Path(plan), Path("/opt/s")))
    assert ("PrivateTmp" in service) is private


MANAGER = """
set -e
mount -t tmpfs tmpfs /run
mount --bind "$1" /usr/local/src
for folder in /mnt "$HOME"; do mount -t tmpfs tmpfs "$folder"; done
mkdir -p /run/systemd/system "$XDG_RUNTIME_DIR" "$HOME/.config/systemd/user" /mnt/project
chmod 700 "$XDG_RUNTIME_DIR"
mount --bind "$1" /mnt/project
cp /mnt/project/units/* "$HOME/.config/systemd/user"
mkdir "$HOME/.config/senderscore"
printf "SMTP_PASSWORD='s3cret 50%%'\\n" >"$HOME/.config/senderscore/$2.env"
"$3" --user >/mnt/project/log 2>&1 &
for wait in $(seq 100); do systemctl --user daemon-reload 2>/dev/null && break; sleep 0.1; done
cd "$HOME/.config/systemd/user"
for timer in *.timer; do systemctl --user enable --now "$timer" 2>/dev/null; done
systemctl --user list-timers --no-pager >/mnt/project/timers
systemctl --user start *.service
"""
"""Runs a user's systemd where it disturbs nothing, with the units installed as their heads say."""


def test_a_real_systemd_calls_the_program_exactly_so(tmp_path):
    begin, work = apart(), Path("/mnt/project")
    tool("systemctl")
    systemd = next(
        (p for p in ("/usr/lib/systemd/systemd", "/lib/systemd/systemd") if Path(p).exists()), None
    ) or tool("systemd")
    (tmp_path / "units").mkdir()
    made = []
    for i, name in enumerate(HOSTILE):
        here = target_in(tmp_path / str(i), name)
        secrets = ("SMTP_PASSWORD",) if i == len(HOSTILE) - 1 else ()
        moved = [work / path.relative_to(tmp_path) for path in (here.plan, here.program)]
        there = Target(*moved, secrets=secrets)
        for file, text in systemd_files(there).items():
            (tmp_path / "units" / file).write_text(text)
        made.append((here, there))
    # Beside the plan it may write, also where the rest of /usr is closed to it.
    here = target_in(tmp_path / "usr", "project")
    here = Target(here.plan, here.program.rename(here.folder / "senderscore"))
    closed = Path("/usr/local/src/usr/project")
    there = Target(closed / here.plan.name, closed / "senderscore")
    for file, text in systemd_files(there).items():
        (tmp_path / "units" / file).write_text(text)
    made.insert(0, (here, there))
    environment = {
        **os.environ,
        "HOME": str(Path("~root").expanduser()),
        "XDG_RUNTIME_DIR": "/run/user/0",
        "DBUS_SESSION_BUS_ADDRESS": "unix:path=/run/user/0/none",
    }
    environment.pop("XDG_CONFIG_HOME", None)
    command = [*begin, "sh", "-c", MANAGER, "sh", str(tmp_path), made[-1][1].name, systemd]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, (done.stdout, done.stderr)
    for here, there in made:
        *argv, secret, folder = got(here)
        assert argv == called(there)
        assert secret == ("secret: s3cret 50%" if there.secrets else "secret: ")
        assert folder == f"in: {there.folder}"
        assert f"{there.name}.timer" in (tmp_path / "timers").read_text()
    assert not list(tmp_path.rglob("pwned"))
