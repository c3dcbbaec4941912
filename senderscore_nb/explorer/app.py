"""The explorer as an app in a browser, for those who do not open notebooks."""

from __future__ import annotations

import json
import os
import secrets
import socket
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from senderscore_nb.errors import SenderScoreError
from senderscore_nb.explorer.data import Data
from senderscore_nb.explorer.explore import Explorer
from senderscore_nb.explorer.state import View
from senderscore_nb.policy import DEFAULT_POLICY

HOST = "127.0.0.1"
PORT = 8866

_TRIES = 50

_POLICY = (
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; connect-src 'self' data: blob:; "
    "frame-ancestors 'self'; form-action 'self'; base-uri 'self'"
)
"""What the app's page may load: nothing from anywhere but this server."""


def serve(
    paths: Sequence[str],
    *,
    say: Callable[[str], None],
    port: int = PORT,
    browser: bool = True,
    theme: str = "light",
    policy: str = DEFAULT_POLICY,
    **options: str,
) -> None:
    """Serve the explorer through Voilà on this machine until it is stopped.

    Only who has the token in the address gets in, and only from this machine. The data is read once
    here, so that a mistake is said before anything is served, and again for each visitor.

    Args:
        paths: Files, folders or globs.
        say: Is given the address.
        port: The port, or the next one that is free.
        browser: Open it in a browser.
        theme: `light` or `dark`.
        policy: The policy to open with.
        options: `mapping`, `timezone` and `roster`, as `open_account` takes them.

    Raises:
        SenderScoreError: The data cannot be read, or Voilà is not installed.
    """
    try:
        from voila.app import Voila
    except ImportError:
        raise SenderScoreError(
            "The app needs Voilà, which is not installed.",
            hint="Install it: pip install 'senderscore-nb[app]'.",
        ) from None
    data = Data.of_paths(list(paths), **options)
    data.check_view(View(policy=policy))
    found = free_port(port)
    token = secrets.token_urlsafe(24)
    with tempfile.TemporaryDirectory(prefix="senderscore-app-") as folder:
        path = Path(folder) / "Sender score.ipynb"
        path.write_text(json.dumps(app_notebook(paths, {**options, "policy": policy})), "utf-8")
        # Our template leaves out what Voilà's would fetch, and the policy refuses the rest.
        os.environ["JUPYTER_PATH"] = _with_templates(os.environ.get("JUPYTER_PATH", ""))
        # The token goes to the server directly: a command line could be read by others.
        app = Voila(
            ip=HOST,
            port=found,
            port_retries=0,
            token=token,
            open_browser=browser,
            tornado_settings={"headers": {"Content-Security-Policy": _POLICY}},
        )
        app.initialize(argv=[str(path), "--template=senderscore", f"--theme={theme}"])
        say(f"The explorer: http://{HOST}:{found}/?token={token}")
        say("It is served on this machine alone. Stop it with Ctrl+C.")
        app.start()


def served(paths: Sequence[str], policy: str = DEFAULT_POLICY, **options: str) -> Explorer:
    """What the app's notebook shows: the explorer on the view that the address asks for.

    Args:
        paths: What to read.
        policy: The policy to open with, where the address names none.
        options: `mapping`, `timezone` and `roster`.
    """
    asked = os.environ.get("QUERY_STRING", "")
    data = Data.of_paths(list(paths), **options)
    try:
        view = View.from_link(asked)
        if view.policy == DEFAULT_POLICY:
            view = view.updated(policy=policy)
        return Explorer(data, view, keep_picture=False)
    except SenderScoreError as error:
        explorer = Explorer(data, policy=policy, keep_picture=False)
        explorer.model.notice = f"The address asks for what cannot be shown. {error}"
        return explorer


def app_notebook(paths: Sequence[str], options: Mapping[str, Any]) -> dict[str, Any]:
    """The notebook that the app serves: one cell that shows the explorer."""
    given = {key: value for key, value in options.items() if value}
    whole = [str(Path(path).expanduser().absolute()) for path in paths]
    source = f"from senderscore_nb.explorer.app import served\nserved({whole!r}, **{given!r})"
    cell: dict[str, Any] = {
        "cell_type": "code",
        "id": "explorer",
        "metadata": {},
        "source": source,
        "outputs": [],
        "execution_count": None,
    }
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    metadata = {"kernelspec": kernel, "title": "Sender score"}
    return {"cells": [cell], "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def _with_templates(path: str) -> str:
    """Jupyter's search path with the folder that holds the app's template before it."""
    ours = str(Path(__file__).parent / "front")
    return os.pathsep.join([ours, path] if path else [ours])


def free_port(port: int) -> int:
    """The port, or the next one that nobody listens on; any free one for 0.

    Raises:
        SenderScoreError: None of the next 50 is free.
    """
    for candidate in range(port, port + _TRIES) if port else (0,):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, candidate))
            except (OSError, OverflowError):
                continue
            return int(probe.getsockname()[1])
    raise SenderScoreError(
        f"No port from {port} to {port + _TRIES - 1} is free.", hint="Give another one: --port."
    )
