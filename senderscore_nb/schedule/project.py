"""A plan in its folder: what its paths mean, whether all of it exists, and additions to it."""

from __future__ import annotations

import glob
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from senderscore_nb.errors import PlanError, SenderScoreError, did_you_mean
from senderscore_nb.policy import load_policy, preset_names
from senderscore_nb.reports.notebooks import declared_of, find_notebook
from senderscore_nb.reports.parameters import check_parameters
from senderscore_nb.safe import write_atomically
from senderscore_nb.schedule.plan import PLAN_NAME, Plan, ReportPlan, parse_plan
from senderscore_nb.secrets import Secret
from senderscore_nb.selection import Selection
from senderscore_nb.sources import load_mapping, mapping_names

GIVEN = (
    *("data", "mapping", "timezone", "roster", "policy", "period", "window_weeks"),
    *("settling_days", "users", "teams", "sequences"),
)
"""Parameters that a run fills in, where the notebook has them."""

LEAST_KEY = 16
"""Characters of a key below which names could be found by trying keys."""

_NEEDED = {"user": "users", "team": "teams", "sequence": "sequences"}


@dataclass(frozen=True)
class Project:
    """A plan and the file that it was read from.

    Attributes:
        path: The plan's file, absolute.
        plan: What it says.
    """

    path: Path
    plan: Plan

    @classmethod
    def open(cls, path: str | Path = PLAN_NAME) -> Project:
        """Read a plan: a file, or a folder with a `reports.toml` in it.

        Raises:
            PlanError: There is none, or it is not valid.
        """
        file = Path(path).expanduser().absolute()
        if file.is_dir():
            file /= PLAN_NAME
        try:
            text = file.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise PlanError(
                "There is no plan of reports here.",
                where=str(file),
                hint="`senderscore init FOLDER` writes one; --plan FILE names one elsewhere.",
            ) from None
        except (OSError, UnicodeDecodeError) as error:
            raise PlanError(f"The plan cannot be read ({error}).", where=str(file)) from None
        return cls(file, parse_plan(text, where=str(file)))

    @property
    def folder(self) -> Path:
        """The folder that the plan's paths are relative to."""
        return self.path.parent

    @cached_property
    def output(self) -> Path:
        """The folder of the pages."""
        return self.folder / Path(self.plan.output.folder).expanduser()

    def resolve(self, path: str) -> str:
        """A path of the plan as an absolute one; globs and ~ work."""
        return str(self.folder / Path(path).expanduser()) if path else ""

    def policy(self, name: str) -> str:
        """A policy of the plan: a preset's name, or an absolute path."""
        return name if name in preset_names() else self.resolve(name)

    def notebook(self, name: str) -> Path:
        """The notebook of a report.

        Raises:
            ReportError: There is none.
        """
        return find_notebook(self.resolve(name) if name.endswith(".ipynb") else name)

    @property
    def data_parameters(self) -> dict[str, Any]:
        """What is read, as a report's parameters."""
        data = self.plan.data
        mapping = data.mapping if data.mapping in mapping_names() else self.resolve(data.mapping)
        return {
            "data": [self.resolve(source) for source in data.source],
            "mapping": mapping,
            "timezone": data.timezone,
            "roster": self.resolve(data.roster),
        }

    def key(self) -> bytes:
        """The key of the pseudonyms; empty where the plan replaces nothing.

        Raises:
            SecretError: It cannot be read.
            PlanError: It is too short to keep anything hidden.
        """
        privacy = self.plan.privacy
        if privacy.redact == "none" or privacy.key is None:
            return b""
        key = privacy.key.read(self.folder).get_secret_value().strip()
        if len(key) < LEAST_KEY:
            raise PlanError(
                f"privacy.key: expected {LEAST_KEY} characters or more, found {len(key)}.",
                where=str(self.path),
                hint="Make one: python -c 'import secrets; print(secrets.token_hex(32))'",
            )
        return key.encode()

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """Where the plan's secrets are."""
        plan = self.plan
        found = [plan.privacy.key, plan.mail and plan.mail.password]
        found.append(plan.webhook.url if plan.webhook else None)
        return tuple(secret for secret in found if secret)

    def check(self) -> None:
        """Whether everything that the plan names exists and fits.

        Raises:
            PlanError: Something does not; every problem is in it.
        """
        found = list(self._missing())
        if found:
            more = f"{len(found)} problems.\n  " if len(found) > 1 else ""
            raise PlanError(more + "\n  ".join(found), where=str(self.path))

    def _missing(self) -> Iterator[str]:
        data = self.plan.data
        for source in data.source:
            if not glob.glob(self.resolve(source)):  # noqa: PTH207
                yield f"data.source: there is nothing at {source!r}."
        if data.roster and not Path(self.resolve(data.roster)).is_file():
            yield f"data.roster: there is no file {data.roster!r}."
        if data.mapping:
            try:
                load_mapping(self.data_parameters["mapping"])
            except SenderScoreError as error:
                yield f"data.mapping: {error}"
        for report in self.plan.reports:
            key = f"reports.{report.name}"
            try:
                load_policy(self.policy(report.policy))
            except SenderScoreError as error:
                yield f"{key}.policy: {error}"
            try:
                declared = declared_of(self.notebook(report.notebook))
            except SenderScoreError as error:
                yield f"{key}.notebook: {error}"
                continue
            yield from _unfit(report, key, declared)
            candidate = report.parameters.get("candidate")
            if candidate and isinstance(candidate, str):
                try:
                    load_policy(self.policy(candidate))
                except SenderScoreError as error:
                    yield f"{key}.parameters.candidate: {error}"


def _unfit(report: ReportPlan, key: str, declared: dict[str, Any]) -> Iterator[str]:
    """What of a report does not fit the parameters of its notebook."""
    for name in report.parameters:
        if name in GIVEN:
            yield f"{key}.parameters.{name}: follows from the plan; leave it out."
        elif name not in declared:
            hint = did_you_mean(name, declared)
            yield f"{key}.parameters.{name}: the notebook has no such parameter. {hint}"
        else:
            try:
                json.dumps(report.parameters[name], allow_nan=False)
                check_parameters({name: report.parameters[name]}, declared, where=key)
            except (TypeError, ValueError):
                yield f"{key}.parameters.{name}: expected text, a number, a list or a table."
            except SenderScoreError as error:
                yield f"{key}.parameters: {error.found}"
    needed = _NEEDED.get(report.each)
    if needed and needed not in declared:
        yield f'{key}.each: "{report.each}" fills in {needed}, which the notebook does not have.'
    for selection in (report.selection, *(row.selection for row in report.rows)):
        for name in ("users", "teams", "sequences"):
            if getattr(selection, name) and name not in declared:
                yield f"{key}: {name} are selected, but the notebook has no parameter {name}."
        if selection.factors and "factors" not in declared:
            yield f"{key}: factors are selected, but the notebook has no parameter factors."


def add_report(path: str | Path, report: ReportPlan) -> None:
    """Add a report to a plan's file; comments and order of the file stay.

    Args:
        path: The plan's file.
        report: What to add.

    Raises:
        PlanError: The plan cannot be read or written, or has a report of that name already.
    """
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    project = Project.open(path)
    if any(report.name == known.name for known in project.plan.reports):
        raise PlanError(
            f"The plan already has a report {report.name!r}.",
            where=str(project.path),
            hint="Choose another name.",
        )
    try:
        document = tomlkit.parse(project.path.read_text(encoding="utf-8"))
        rows = document.setdefault("reports", tomlkit.aot())
        rows.append(tomlkit.item(report_table(report)))
        text = tomlkit.dumps(document)
        parse_plan(text, where=str(project.path))
        write_atomically(project.path, text)
    except (OSError, TOMLKitError, AttributeError) as error:
        raise PlanError(f"The report cannot be added ({error}).", where=str(project.path)) from None


def report_table(report: ReportPlan) -> dict[str, Any]:
    """A report as it stands in TOML: what differs from the defaults; reads back equal."""
    table = report.model_dump(mode="json", exclude_defaults=True)
    if "at" in table:
        table["at"] = f"{report.at:%H:%M}"
    if report.selection != Selection():
        table["selection"] = _filled(report.selection)
    if report.rows:
        table["rows"] = [{"name": r.name, **_filled(r.selection)} for r in report.rows]
    return table


def _filled(selection: Selection) -> dict[str, Any]:
    return {name: value for name, value in selection.to_parameters().items() if value}
