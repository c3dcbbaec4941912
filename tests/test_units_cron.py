"""The line of a crontab: what a shell makes of it, and a real cron."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import example, given

from senderscore_nb.errors import PlanError
from senderscore_nb.schedule.units import Target, unit
from senderscore_nb.schedule.units.cron import MOST_BYTES
from tests.schedulers import HOSTILE, PROGRAM, apart, called, got, names, target_in, tool


def line_of(target: Target) -> str:
    """The only line that is no comment."""
    (line,) = [one for one in unit("cron", target).split("\n") if one and one[0] != "#"]
    return line


def command_of(target: Target) -> str:
    return line_of(target).split(" ", 5)[5]


def taken(command: str, *, backslashes: bool) -> str:
    """What cron gives to the shell: up to a bare `%`, without the backslash before one.

    Vixie's cron takes the backslash before a backslash out too; others do not.
    """
    out, escaped = "", False
    for character in command:
        if escaped:
            if character == "%" or (backslashes and character == "\\"):
                out = out[:-1]
            escaped = False
        elif character == "\\":
            escaped = True
        elif character == "%":
            break
        out += character
    return out


@pytest.mark.parametrize("backslashes", [False, True])
@given(name=names)
@example(name="\\%")
@example(name="\\\\%%\\'%")
def test_a_shell_gets_exactly_these_arguments(name, backslashes):
    with tempfile.TemporaryDirectory() as folder:
        target = target_in(Path(folder), name)
        script = taken(command_of(target), backslashes=backslashes)
        subprocess.run(["/bin/sh", "-c", script], env={"PATH": "/usr/bin:/bin"}, check=True)
        assert got(target)[:-2] == called(target)
        assert target.plan.with_name(f"{target.plan.name}.log").read_text() == "ran\n"


@pytest.mark.parametrize("name", HOSTILE)
def test_both_crons_give_the_shell_the_same(name):
    command = command_of(Target(Path("/srv", name, "p.toml"), Path("/opt", name)))
    assert taken(command, backslashes=True) == taken(command, backslashes=False)


@pytest.mark.parametrize(
    ("minutes", "when"), [(1, "* * * * *"), (15, "*/15 * * * *"), (60, "0 * * * *")]
)
def test_how_often(minutes, when):
    line = line_of(Target(Path("/srv/p.toml"), Path("/opt/s"), minutes))
    assert line.startswith(f"{when} /opt/s ")


def test_secrets_come_from_a_file_in_the_users_home(tmp_path):
    target = target_in(tmp_path, "it's 5%", secrets=("SMTP_PASSWORD", "CHAT"))
    file = tmp_path / ".config/senderscore" / f"{target.name}.env"
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    command = ["/bin/sh", "-c", taken(command_of(target), backslashes=False)]
    assert subprocess.run(command, env=environment).returncode != 0
    log = target.plan.with_name(f"{target.plan.name}.log")
    assert str(file) in log.read_text()
    assert not (target.program.parent / "got").exists()
    # The head says how the file is made; it is made so here.
    (make,) = [line[1:] for line in unit("cron", target).splitlines() if "umask" in line]
    subprocess.run(["/bin/sh", "-c", make], env=environment, check=True)
    assert file.stat().st_mode & 0o777 == 0o600
    file.write_text("SMTP_PASSWORD='p w\"$%'\n")
    subprocess.run(command, env=environment, check=True)
    assert got(target)[-2] == 'secret: p w"$%'


def test_what_cron_would_cut_is_refused():
    def target(length: int) -> Target:
        return Target(Path("/", "ä" * length, "p.toml"), Path("/opt/s"))

    fits = max(n for n in range(600) if _fits(target(n)))
    assert MOST_BYTES - 4 < len(command_of(target(fits)).encode()) <= MOST_BYTES
    with pytest.raises(PlanError, match=rf"longer than cron takes .* of {MOST_BYTES}.*systemd"):
        unit("cron", target(fits + 1))


def _fits(target: Target) -> bool:
    try:
        return bool(unit("cron", target))
    except PlanError:
        return False


CRON = """
set -e
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /var/spool/cron
mkdir /var/spool/cron/crontabs
for folder in /etc/cron.d "$HOME"; do mount -t tmpfs tmpfs "$folder"; done
mount --bind /dev/null /etc/crontab
mkdir -p "$HOME/.config/senderscore"
printf "SMTP_PASSWORD='s3cret 50%%'\\n" >"$HOME/.config/senderscore/$2.env"
"$3" "$1"
exec "$4" -f
"""
"""Runs cron where it disturbs nothing: its own crontabs, and nothing of the system's."""


@pytest.mark.xdist_group("cron")
def test_a_real_cron_calls_the_program_exactly_so(tmp_path):
    begin, cron, crontab = apart(), tool("cron"), tool("crontab")
    targets = [target_in(tmp_path / str(i), name, minutes=1) for i, name in enumerate(HOSTILE)]
    secret = target_in(tmp_path / "s", "it's 5%\\", minutes=1, secrets=("SMTP_PASSWORD",))
    longest = _longest(tmp_path)
    table = tmp_path / "crontab"
    table.write_text("".join(unit("cron", target) for target in [*targets, secret, longest]))
    words = [str(table), secret.name, crontab, cron]
    home = {**os.environ, "HOME": str(Path("~root").expanduser())}
    with subprocess.Popen([*begin, "sh", "-c", CRON, "sh", *words], env=home) as running:
        try:
            end = time.monotonic() + 150
            waiting = [*targets, secret, longest]
            while waiting and running.poll() is None and time.monotonic() < end:
                time.sleep(0.2)
                waiting = [t for t in waiting if not (t.program.parent / "got").exists()]
        finally:
            running.terminate() if begin[0] == "sudo" else running.kill()
    assert not waiting, [str(target.plan) for target in waiting]
    for target in [*targets, secret, longest]:
        assert got(target)[:-2] == called(target)
        assert target.plan.with_name(f"{target.plan.name}.log").exists()
    assert got(secret)[-2] == "secret: s3cret 50%"
    assert not list(tmp_path.rglob("pwned"))


def _longest(folder: Path) -> Target:
    """A target whose command is as long as one may be."""
    program = folder / ("q" * 250) / ("q" * 50) / "senderscore"
    program.parent.mkdir(parents=True)
    program.write_text(PROGRAM)
    program.chmod(0o755)
    fitting = (Target(folder / ("l" * n) / "reports.toml", program, 1) for n in range(250, 0, -1))
    target = next(target for target in fitting if _fits(target))
    assert MOST_BYTES - 2 <= len(command_of(target)) <= MOST_BYTES
    target.folder.mkdir()
    return target
