"""A notebook with parameters → its page, in an ordinary kernel or in a warm worker."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from senderscore_nb import errors
from senderscore_nb.errors import ReportError
from senderscore_nb.reports.blocks import Notice
from senderscore_nb.reports.mail import MailBody, mail_body, mail_from_json
from senderscore_nb.reports.notebooks import own_folder
from senderscore_nb.reports.outputs import summary_of, title_of
from senderscore_nb.reports.page import render_page
from senderscore_nb.reports.pool import WorkerPool
from senderscore_nb.safe import shown

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Job:
    """A report to be made.

    Attributes:
        notebook: The notebook's path.
        parameters: Values for its parameters cell: JSON values, days as ISO text.
        notices: What stands on top of the page.
        mailed: Whether a mail about it is wanted as well.
        about: Whom it is about, where it is one of several; stands behind the title.
    """

    notebook: Path
    parameters: Mapping[str, Any] = field(default_factory=dict)
    notices: tuple[Notice, ...] = ()
    mailed: bool = False
    about: str = ""


@dataclass(frozen=True)
class Made:
    """A report that was made; nothing is written yet.

    Attributes:
        html: The page.
        title: Its heading.
        twin: The same figures as JSON values, or None where the notebook shows none.
        mail: What a mail says of it, where one is wanted.
    """

    html: str
    title: str
    twin: dict[str, Any] | None
    mail: MailBody | None


@dataclass(frozen=True)
class KernelRunner:
    """Makes reports in an ordinary kernel each; no limit but the time of a cell is kept.

    Attributes:
        seconds: The most that a cell may take; no limit if None.
        environment: The kernels' environment; this process's unless given.
    """

    seconds: float | None = None
    environment: Mapping[str, str] | None = None

    def make(self, job: Job, progress: Progress | None = None) -> Made:
        """Make a report; see `make_report`."""
        from senderscore_nb.reports import engine

        notebook = _execute(
            job,
            engine.KERNEL,
            on_cell=progress,
            execution_timeout=self.seconds,
            environment=self.environment,
            resources={"metadata": {"path": _beside(job)}},
        )
        try:
            return rendered(notebook, job)
        except (ValueError, TypeError, KeyError) as error:
            raise ReportError(
                f"It cannot be shown ({type(error).__name__}: {error}).", where=job.notebook.name
            ) from None


@dataclass(frozen=True)
class PoolRunner:
    """Makes reports in the workers of a pool."""

    pool: WorkerPool

    def make(self, job: Job, progress: Progress | None = None) -> Made:
        """Make a report; see `make_report`."""
        from senderscore_nb.reports import engine

        # Ours do nothing to their process, so they may follow each other in one.
        shared_by = "" if job.notebook.parent == own_folder() else str(job.notebook)
        with self.pool.worker(shared_by) as worker:
            failure: ReportError | None = None
            try:
                notebook = _execute(
                    job, engine.WORKERS, worker=worker, folder=_beside(job), on_cell=progress
                )
            except ReportError as error:
                if not worker.is_alive:
                    raise
                failure = error  # the notebook's own; its worker is as good as before
            else:
                answer = worker.ask(
                    {
                        "do": "render",
                        "notebook": notebook,
                        "notices": [vars(notice) for notice in job.notices],
                        "mail": job.mailed,
                        "about": job.about,
                    }
                )
            worker.finish()
        if failure:
            raise failure
        mail = mail_from_json(answer["mail"]) if answer["mail"] else None
        return Made(answer["html"], answer["title"], answer["twin"], mail)


def rendered(notebook: Any, job: Job) -> Made:
    """The page of an executed notebook, with its twin and, where one is wanted, its mail."""
    twin = summary_of(notebook, job.notices)
    title = f"{title_of(notebook)}, {job.about}" if job.about else title_of(notebook)
    mail = None
    if job.mailed:
        mail = mail_body(notebook, twin, notices=job.notices, title=title)
    return Made(render_page(notebook, job.notices, title=title), title, twin, mail)


def _beside(job: Job) -> str:
    """The notebook's folder, where it runs as it does in JupyterLab."""
    return str(job.notebook.absolute().parent)


def _execute(job: Job, engine_name: str, **options: Any) -> Any:
    import papermill
    from papermill.exceptions import PapermillExecutionError

    from senderscore_nb.reports import engine

    engine.register()
    where = job.notebook.name
    try:
        return papermill.execute_notebook(
            str(job.notebook),
            None,
            parameters=dict(job.parameters),
            engine_name=engine_name,
            kernel_name="python3",
            language="python",
            progress_bar=False,
            **options,
        )
    except PapermillExecutionError as error:
        kind = getattr(errors, error.ename, None)
        if isinstance(kind, type) and issubclass(kind, errors.SenderScoreError):
            raise ReportError(_plain(error.evalue)) from None
        raise ReportError(
            f"A cell raised {error.ename}: {_plain(error.evalue)}.",
            where=where,
            hint=f"The cell begins with {_first_line(error.source)!r}.",
        ) from None
    except ReportError as error:
        error_type = type(error)
        raise error_type(error.found, where=where, hint=error.hint) from None
    except (RuntimeError, ValueError, OSError) as error:
        raise ReportError(
            f"The notebook could not be run ({_plain(str(error))}).", where=where
        ) from None


def _first_line(source: object) -> str:
    lines = str(source).strip().splitlines()
    return shown(lines[0], most=80) if lines else ""


def _plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)
