"""A service and a timer of a user's own systemd."""

from __future__ import annotations

from pathlib import Path

from senderscore_nb.schedule.units.target import Target

_TEMPORARY = (Path("/tmp"), Path("/var/tmp"))  # noqa: S108

_SERVICE = """\
# Sender score reports: makes what is due, and does nothing else.
# It goes to ~/.config/systemd/user/{name}.service, and the timer beside it. Then:
#   systemctl --user daemon-reload && systemctl --user enable --now {name}.timer
#   loginctl enable-linger        # so that it runs while you are logged out
# Look at it: journalctl --user -u {name}
[Unit]
Description=Sender score reports: make what is due

[Service]
Type=oneshot
WorkingDirectory={folder}
ExecStart={command}
# Only the program itself is asked to stop; it stops its workers.
KillMode=mixed
{secrets}\
# Hardening. A kernel that keeps user namespaces from users refuses it (status 217 or 226):
# then take these lines out.
NoNewPrivileges=true
ProtectSystem=full
ReadWritePaths={writable}
{private}
"""

_SECRETS = """\
# Secrets, in a file that only you can read:
{how}\
EnvironmentFile=-%h/{file}
"""

_TIMER = """\
# When {name}.service is called. It decides by itself what is due.
[Unit]
Description=Sender score reports: ask every {minutes} min what is due

[Timer]
OnCalendar={calendar}
# What was missed while the machine was off is asked for at once.
Persistent=true
RandomizedDelaySec=30

[Install]
WantedBy=timers.target
"""


def systemd_files(target: Target) -> dict[str, str]:
    """The service and the timer: file name → text."""
    service = _SERVICE.format(
        name=target.name,
        folder=_raw(target.folder),
        command=_command(target),
        secrets=_secrets(target),
        writable=" ".join(_word(path) for path in _writable(target)),
        private=_private(target),
    )
    step = {1: "*:*", 60: "*:00"}.get(target.minutes, f"*:0/{target.minutes}")
    timer = _TIMER.format(name=target.name, minutes=target.minutes, calendar=f"{step}:00")
    return {f"{target.name}.service": service, f"{target.name}.timer": timer}


def _command(target: Target) -> str:
    """What is called: the program itself, or a shell that is given its path.

    systemd refuses programs with quotation marks or backslashes in their path.
    """
    program, arguments = str(target.program), " ".join(map(_argument, target.arguments))
    if any(character in program for character in "\"'\\"):
        script = _argument('exec "$0" "$@"')
        return f"/bin/sh -c {script} {_argument(program)} {arguments}"
    return f"{_word(program)} {arguments}"


def _secrets(target: Target) -> str:
    if not target.secrets:
        return ""
    return _SECRETS.format(how=target.how_secrets, file=target.secrets_file)


def _writable(target: Target) -> list[str]:
    """The project, and the pages where they are elsewhere; these need not be there yet."""
    elsewhere = not target.output.is_relative_to(target.folder)
    return [str(target.folder), *([f"-{target.output}"] if elsewhere else [])]


def _private(target: Target) -> str:
    """A /tmp of its own, unless what it needs is in the one of all."""
    for path in (target.plan, target.program, target.output):
        if any(path.is_relative_to(folder) for folder in _TEMPORARY):
            return "# No PrivateTmp: the project or the program is in the /tmp of all."
    return "PrivateTmp=true"


def _raw(path: Path) -> str:
    """A path where systemd knows no quotation: the slash keeps a space or backslash at its end."""
    return str(path).replace("%", "%%").rstrip("/") + "/"


def _word(text: str) -> str:
    """A word in which nothing is a variable: the program itself, and lists of paths."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'


def _argument(text: str) -> str:
    r"""An argument of a command, quoted only where it must be.

    >>> print(_argument('/a "b"/$HOME/50%'))
    "/a \"b\"/$$HOME/50%%"
    """
    plain = text.isascii() and text.replace("-", "").isalnum()
    return text if plain else _word(text.replace("$", "$$"))
