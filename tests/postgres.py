"""A real PostgreSQL for the tests: a cluster of its own in a temporary folder, on loopback."""

from __future__ import annotations

import glob
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PASSWORD = "s3cret/:@%word"  # noqa: S105
USER = "sales team@x"
QUOTED = "sales%20team%40x"


@dataclass(frozen=True)
class Cluster:
    """A server that is up.

    Attributes:
        port: Where it listens on 127.0.0.1.
    """

    port: int

    @property
    def url(self) -> str:
        """Its address, without the password."""
        return f"postgresql://{QUOTED}@127.0.0.1:{self.port}/postgres"

    def run(self, *statements: str) -> None:
        """Run statements; PGPASSWORD is set."""
        from adbc_driver_postgresql import dbapi

        with dbapi.connect(self.url, autocommit=True) as connection:
            for statement in statements:
                with connection.cursor() as cursor:
                    cursor.execute(statement)


def find_programs() -> Path | None:
    """The folder of PostgreSQL's server programs."""
    there = shutil.which("initdb")
    found = [there] if there else sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"))  # noqa: PTH207
    return Path(found[-1]).parent if found else None


@contextmanager
def running() -> Iterator[Cluster]:
    """A server for as long as the block lasts; it is ended by its process id."""
    programs = find_programs()
    assert programs is not None, "no PostgreSQL; see tests/install_engines.sh"
    folder = Path(tempfile.mkdtemp(prefix="senderscore-pg-"))
    own = _another_user() if os.geteuid() == 0 else {}
    try:
        secret = folder / "password"
        secret.write_text(PASSWORD)
        for path in (folder, secret):
            if own:
                os.chown(path, own["user"], own["group"])
        data = folder / "data"
        _as(own, folder, programs / "initdb", "-D", data, "-U", USER, f"--pwfile={secret}",
            "-A", "scram-sha-256", "-E", "UTF8", "--locale=C", "--no-sync")  # fmt: skip
        yield from _served(programs, folder, data, own)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _served(programs: Path, folder: Path, data: Path, own: dict) -> Iterator[Cluster]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    arguments = [
        programs / "postgres", "-D", data, "-h", "127.0.0.1", "-p", port, "-k", folder,
        "-c", "fsync=off", "-c", "timezone=Pacific/Kiritimati", "-c", "shared_buffers=16MB",
        "-c", "max_connections=10", "-c", "autovacuum=off",
    ]  # fmt: skip
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            list(map(str, arguments)), stdout=log, stderr=log, cwd=folder, **own
        )
    try:
        _wait(port, server, folder / "log")
        yield Cluster(port)
    finally:
        server.send_signal(signal.SIGINT)
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _wait(port: int, server: subprocess.Popen, log: Path) -> None:
    for _ in range(600):
        assert server.poll() is None, log.read_text()
        if b"ready to accept connections" in log.read_bytes():
            with socket.create_connection(("127.0.0.1", port), timeout=5):
                return
        time.sleep(0.05)
    raise AssertionError(log.read_text())


def _another_user() -> dict:
    """PostgreSQL refuses to run as root."""
    for name in ("postgres", "nobody"):
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": []}
    raise AssertionError("no user to run PostgreSQL as")


def _as(own: dict, folder: Path, *command: object) -> None:
    got = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, check=False, cwd=folder, **own
    )
    assert got.returncode == 0, got.stderr
