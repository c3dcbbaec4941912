"""The explorer as it is used in a notebook."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from senderscore_nb.account import Account
from senderscore_nb.errors import SenderScoreError
from senderscore_nb.explorer.code import code_of
from senderscore_nb.explorer.data import Data
from senderscore_nb.explorer.leaving import FORMS, TITLE, export, picture_html
from senderscore_nb.explorer.model import Model
from senderscore_nb.explorer.saving import (
    PLAN,
    save_as_report,
    suggested_name,
    words_before_saving,
)
from senderscore_nb.explorer.state import View
from senderscore_nb.policy import ScoringPolicy
from senderscore_nb.safe import write_atomically
from senderscore_nb.widget.frame import words_of
from senderscore_nb.widget.kept import Kept, boxed
from senderscore_nb.widget.shown import Shown

if TYPE_CHECKING:
    from senderscore_nb.widget.view import Answer, ModelWidget


class Explorer(Shown[Model]):
    """Score drivers by hand: filters, gauges, heatmaps, trend, table and comparison.

    It shows itself as the last line of a cell. Its view is a frozen value (`view`), and everything
    that the controls do can be done in code as well.

    Args:
        data: A path or several, an account that was opened, or `Data`; the sample unless given.
        view: What is shown first.
        mapping: How headers become columns, where `data` is a path.
        timezone: The account's time zone, where `data` is a path.
        roster: A roster file, where `data` is a path.
        policies: Policies to choose from by name, besides the presets.
        plan: The plan of reports that views are saved to from the widget, which asks for one
            unless it is given.
        keep_picture: Keep the last view as static charts below the widget, for a notebook that is
            read without a kernel.
        values: Values of the view, such as `teams=["North"]` or `panel="trend"`.

    Raises:
        SenderScoreError: The data cannot be read, or the view cannot be shown.

    >>> explorer = Explorer(start="2026-08-24", panel="trend")
    >>> explorer.update(teams=["Nordics"]).undo().view.selection.teams
    ()
    """

    def __init__(
        self,
        data: str | Path | Sequence[str | Path] | Account | Data = (),
        view: View | None = None,
        *,
        mapping: str = "",
        timezone: str = "",
        roster: str = "",
        policies: Mapping[str, ScoringPolicy] | None = None,
        plan: str | Path = "",
        keep_picture: bool = True,
        **values: Any,
    ) -> None:
        if isinstance(data, Account):
            data = Data.of_account(data)
        elif not isinstance(data, Data):
            data = Data.of_paths(data, mapping=mapping, timezone=timezone, roster=roster)
        data.policies.update(policies or {})
        self._plan = str(plan)
        self._mark = secrets.token_hex(6)
        kept = Kept(
            lambda: self.view,
            lambda view: picture_html(data, view, self._mark),
            "The explorer's last view as static charts.",
            lambda words: boxed(self._mark, TITLE, words),
        )
        model = Model(data, (view or View()).updated(**values))
        super().__init__(model, kept, keep_picture=keep_picture)

    @classmethod
    def from_link(cls, link: str, data: Any = (), **options: Any) -> Self:
        """The explorer on the view of a link."""
        return cls(data, View.from_link(link), **options)

    @property
    def data(self) -> Data:
        """What is explored."""
        return self.model.data

    @property
    def view(self) -> View:
        """The view as it is now."""
        return self.model.view

    def _made(self) -> ModelWidget:
        from senderscore_nb.widget.view import ModelWidget

        return ModelWidget("explorer", self.model, self._handlers(), self._mark)

    def code(self) -> str:
        """The cell that makes the same chart."""
        return code_of(self.data, self.view)

    def save_as_report(self, name: str, *, plan: str | Path = PLAN, every: str = "week") -> Path:
        """Add the view to a plan as a report; see `saving.save_as_report`."""
        return save_as_report(self.data, self.view, name=name, plan=plan, every=every)

    def export(self, path: str | Path) -> Path:
        """Write what is seen to a file; its ending says how: csv, png, svg or html.

        Raises:
            SenderScoreError: No such form, nothing to export, or it cannot be written.
        """
        path = Path(path)
        _, content = export(self.data, self.view, path.suffix.removeprefix(".").casefold())
        try:
            write_atomically(path, content)
        except OSError as error:
            raise SenderScoreError(f"Cannot be written ({error}).", where=str(path)) from None
        return path

    def picture(self) -> str:
        """The view as static charts in HTML."""
        return picture_html(self.data, self.view, self._mark)

    def _handlers(self) -> dict[str, Callable[[Mapping[str, Any]], Answer]]:
        return {"code": self._say_code, "link": self._say_link, "export": self._say_file,
                "saving": self._say_saving, "save": self._say_saved}  # fmt: skip

    def _say_code(self, _: Mapping[str, Any]) -> Answer:
        return {"kind": "code", "text": self.code()}, []

    def _say_link(self, _: Mapping[str, Any]) -> Answer:
        app = os.environ.get("SERVER_SOFTWARE", "").startswith("voila")
        # An app may open with another policy than the usual one, which its address then names.
        text = self.view.to_link(always=("policy",) if app else ())
        return {"kind": "link", "text": text, "app": app}, []

    def _say_saving(self, _: Mapping[str, Any]) -> Answer:
        try:
            words = words_before_saving(self.data, self.view)
        except Exception as error:
            return {"kind": "saving", "words": "", "error": words_of(error)}, []
        said = {"name": suggested_name(self.data, self.view), "plan": self._plan or PLAN}
        return {"kind": "saving", "words": words, "asked": not self._plan, **said}, []

    def _say_saved(self, request: Mapping[str, Any]) -> Answer:
        name, plan, every = (str(request.get(key, "")) for key in ("name", "plan", "every"))
        try:
            path = self.save_as_report(name, plan=self._plan or plan or PLAN, every=every)
        except Exception as error:
            return {"kind": "saved", "error": words_of(error)}, []
        return {"kind": "saved", "text": f"Added {name!r} to {path.absolute()}."}, []

    def _say_file(self, request: Mapping[str, Any]) -> Answer:
        form = str(request.get("form"))
        try:
            name, content = export(self.data, self.view, form)
        except Exception as error:
            frame = self.model.answer({"do": "draw"})
            return {"kind": "frame", "values": {**frame.values, "error": words_of(error)}}, (
                frame.buffers
            )
        return {"kind": "file", "name": name, "type": FORMS[form]}, [content]
