"""What the lab's dialogs ask for and are told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from senderscore_nb.charts.palette import colours, ink_on
from senderscore_nb.errors import SenderScoreError
from senderscore_nb.lab.model import Model
from senderscore_nb.lab.problems import MOST_BANDS
from senderscore_nb.lab.saving import OWN, file_of, planned
from senderscore_nb.policy import preset_names
from senderscore_nb.widget.frame import Frame, words_of
from senderscore_nb.widget.view import Answer

if TYPE_CHECKING:
    from senderscore_nb.lab.thresholds import ThresholdLab

Asked = Mapping[str, Any]


def handlers(lab: ThresholdLab) -> dict[str, Callable[[Asked], Answer]]:
    """What can be asked of a lab besides changes of its trial."""
    answers = {
        "code": _code,
        "saving": _saving,
        "using": _using,
        "filename": _filename,
        "save": _save,
        "plan": _plan,
        "use": _use,
    }
    return {name: partial(answer, lab) for name, answer in answers.items()}


def _code(lab: ThresholdLab, _: Asked) -> Answer:
    return {"kind": "code", "text": lab.code()}, []


def _saving(lab: ThresholdLab, _: Asked, then: str = "") -> Answer:
    """What the dialog of saving begins with; `then` is what comes after it."""
    policy, bench, trial = lab.policy, lab.model.bench, lab.trial
    name, version, source = policy.name, policy.version, policy.source
    if name in preset_names():
        window, start = bench.window(policy, trial.weeks), lab.data.policy(trial.start)
        name, version = OWN, 1
        source = (
            f"Made in the threshold lab from {start.name} v{start.version}, "
            f"on {window.enrollments} ended enrollments, {window.days}."
        )
    elif bench.changed(trial):
        version += 1
    words = "The draft as a TOML file that can be read, compared and kept with your data."
    if then:
        words = "Reports take a policy from its file. Save the draft; the reports come next."
    values = {"name": name, "version": version, "source": source, "path": file_of(name)}
    return {"kind": "saving", **values, "words": words, "then": then}, []


def _using(lab: ThresholdLab, asked: Asked) -> Answer:
    return _plan(lab, {}) if lab.is_saved else _saving(lab, asked, "use")


def _filename(_: ThresholdLab, asked: Asked) -> Answer:
    changes = asked.get("changes")
    name = str(changes.get("name", "")) if isinstance(changes, Mapping) else ""
    return {"kind": "filename", "path": file_of(name)}, []


def _save(lab: ThresholdLab, asked: Asked) -> Answer:
    name, source, path = (str(asked.get(key, "")) for key in ("name", "source", "path"))
    version, overwrite = asked.get("version"), asked.get("overwrite") is True
    there = bool(path) and Path(path).expanduser().exists()
    try:
        file = lab.save_policy(
            name,
            path.strip(),
            source=source,
            version=version if isinstance(version, int) else 0,
            overwrite=overwrite,
        )
    except Exception as error:
        exists = there and not overwrite
        return {"kind": "saved", "error": words_of(error), "exists": exists}, []
    return {"kind": "saved", "text": f"Saved {lab.policy.label} to {file}."}, []


def _plan(lab: ThresholdLab, asked: Asked) -> Answer:
    path = str(asked.get("path") or lab.plan)
    words = f"Which reports are scored with {lab.policy.label} from now on?"
    answer: dict[str, Any] = {"kind": "plan", "path": path, "words": words, "reports": []}
    try:
        answer["reports"] = planned(path)
    except SenderScoreError as error:
        answer["error"] = words_of(error)
    return answer, []


def _use(lab: ThresholdLab, asked: Asked) -> Answer:
    chosen = asked.get("reports")
    names = [str(name) for name in chosen] if isinstance(chosen, list) else []
    try:
        if not names:
            raise SenderScoreError("No report is chosen.")
        plan = lab.use_in_reports(str(asked.get("plan") or ""), names)
    except Exception as error:
        return {"kind": "used", "error": words_of(error)}, []
    told = f"{', '.join(names)} in {plan.name} will be scored with {lab.policy.label}."
    return {"kind": "used", "text": told}, []


class Drawn:
    """The model as the widget takes it: with the colours of as many bands as there may be."""

    def __init__(self, model: Model) -> None:
        self._model = model

    def about(self) -> dict[str, Any]:
        """What the controls offer."""
        palettes = [
            [{"colour": colour, "on": ink_on(colour)} for colour in colours(n)]
            for n in range(1, MOST_BANDS + 1)
        ]
        return {**self._model.about(), "palettes": palettes}

    def answer(self, request: Mapping[str, Any]) -> Frame:
        """Do what a control asks for and draw the result."""
        return self._model.answer(request)
