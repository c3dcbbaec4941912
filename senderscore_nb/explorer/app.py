"""The explorer as an app in a browser, for those who do not open notebooks."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from senderscore_nb.errors import SenderScoreError
from senderscore_nb.explorer.data import Data
from senderscore_nb.explorer.explore import Explorer
from senderscore_nb.explorer.saving import PLAN
from senderscore_nb.explorer.state import View
from senderscore_nb.policy import DEFAULT_POLICY, load_policy, preset_names
from senderscore_nb.sources import mapping_names

if TYPE_CHECKING:
    from IPython.display import HTML

HOST = "127.0.0.1"
PORT = 8866

_TRIES = 50

_CULLED = {"cull_idle_timeout": 1800, "cull_interval": 300, "cull_connected": False}
"""The Python of a visitor who has gone ends after half an hour; that of an open page stays."""

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
        from traitlets.config import Config
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
    with _ended_in_order(), tempfile.TemporaryDirectory(prefix="senderscore-app-") as folder:
        path = Path(folder) / "Sender score.ipynb"
        notebook = app_notebook(paths, {**options, "policy": policy})
        path.write_text(json.dumps(notebook), encoding="utf-8")
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
            config=Config(MappingKernelManager=_CULLED),
        )
        app.initialize(argv=[str(path), "--template=senderscore", f"--theme={theme}"])
        say(f"The explorer: http://{HOST}:{found}/?token={token}")
        say("It is served on this machine alone. Stop it with Ctrl+C.")
        app.start()


@contextmanager
def _ended_in_order() -> Iterator[None]:
    """A request to end, or a terminal that is closed, ends as Ctrl+C does: nothing is left over."""

    def end(*_: object) -> None:
        raise KeyboardInterrupt

    names = ("SIGTERM", "SIGHUP")
    there = [getattr(signal, name) for name in names if hasattr(signal, name)]
    before = {one: signal.signal(one, end) for one in there}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def served(
    paths: Sequence[str], policy: str = DEFAULT_POLICY, folder: str = "", **options: str
) -> Explorer | HTML:
    """What the app's notebook shows: the explorer on the view that the address asks for.

    A visitor chooses among the presets and the policy that the app was started with: no other file
    is read for them, and views are saved as reports to one plan alone.

    Args:
        paths: What to read.
        policy: The policy to open with, where the address names none.
        folder: Where the app was started, and the plan of reports is.
        options: `mapping`, `timezone` and `roster`.

    Returns:
        The explorer; in its place the words of what is wrong with the data or the policy.
    """
    asked = os.environ.get("QUERY_STRING", "")
    try:
        data = Data.of_paths(list(paths), **options)
        usual = _named(data, policy)
        plan = str(Path(folder) / PLAN)
        fallback = Explorer(data, policy=usual, plan=plan, keep_picture=False)
    except SenderScoreError as error:
        return _words(str(error))
    try:
        view = View.from_link(asked)
        if "policy" not in dict(parse_qsl(urlsplit(f"?{asked}").query, keep_blank_values=True)):
            view = view.updated(policy=usual)
        return Explorer(data, view, plan=plan, keep_picture=False)
    except SenderScoreError as error:
        fallback.model.notice = f"The address asks for what cannot be shown. {error}"
        return fallback


def _named(data: Data, policy: str) -> str:
    """The name by which the policy of a file can be chosen; from then on only names can be."""
    data.named_only = True
    if policy in preset_names():
        return policy
    own = load_policy(Path(policy))
    name = own.name
    if name in preset_names():
        name = f"{name} ({Path(policy).name})"
    data.policies[name], data.policy_files[name] = own, policy
    return name


def _words(text: str) -> HTML:
    from IPython.display import HTML

    style = "font: 15px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto"
    return HTML(  # type: ignore[no-untyped-call]
        f'<div role="alert" style="{style}"><p><strong>The explorer cannot be shown.</strong></p>'
        f"<p>{escape(text)}</p></div>"
    )


def app_notebook(paths: Sequence[str], options: Mapping[str, Any]) -> dict[str, Any]:
    """The notebook that the app serves: one cell that shows the explorer."""
    given = {key: _whole(str(value)) for key, value in options.items() if value}
    # A visitor's Python works in another folder than the one that the app was started in.
    given["folder"] = str(Path.cwd())
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


def _whole(value: str) -> str:
    """An option that names a file, with its whole path; what is a name stays one."""
    path = Path(value).expanduser()
    is_name = value in (*preset_names(), "canonical", *mapping_names())
    return value if is_name or not os.path.isfile(path) else str(path.absolute())  # noqa: PTH113


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
