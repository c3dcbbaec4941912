"""The threshold lab as it is used in a notebook."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from senderscore_nb.account import Account
from senderscore_nb.errors import SenderScoreError
from senderscore_nb.explorer.data import Data
from senderscore_nb.explorer.saving import PLAN
from senderscore_nb.lab.leaving import TITLE, code_of_draft, picture_html
from senderscore_nb.lab.model import Model, trial_of
from senderscore_nb.lab.saving import file_of, named, save_policy, use_in_reports
from senderscore_nb.lab.state import Draft, Trial
from senderscore_nb.policy import DEFAULT_POLICY, ScoringPolicy
from senderscore_nb.selection import Selection
from senderscore_nb.widget.kept import Kept, boxed
from senderscore_nb.widget.shown import Shown

if TYPE_CHECKING:
    from senderscore_nb.widget.view import ModelWidget


class ThresholdLab(Shown[Model]):
    """Try other thresholds by hand: curves, bands, and at once who moves and how stable it is.

    It shows itself as the last line of a cell. What is tried is a frozen value (`trial`), and
    everything that the controls do can be done in code as well.

    Args:
        data: A path or several, an account that was opened, or `Data`; the sample unless given.
        policy: What the draft begins as: a preset's name, the path of a TOML file, a policy, or a
            draft.
        against: The policy in force, given in the same way; the default unless given.
        selection: Which senders, sequences and days are scored.
        mapping: How headers become columns, where `data` is a path.
        timezone: The account's time zone, where `data` is a path.
        roster: A roster file, where `data` is a path.
        policies: Policies to choose from by name, besides the presets.
        plan: The plan of reports that *Use in reports* offers.
        keep_picture: Keep the last view as static tables and a chart below the widget, for a
            notebook that is read without a kernel.
        values: Values of the trial, such as `weeks=26`.

    Raises:
        SenderScoreError: The data or a policy cannot be read, or a value is not valid.

    >>> lab = ThresholdLab(weeks=26)
    >>> bands = [{"name": "Low", "lower": 0}, {"name": "Good", "lower": 65}]
    >>> lab.update(bands=bands).policy.band_names
    ('Low', 'Good')
    >>> lab.undo().policy.band_names
    ('Low', 'Fair', 'Good', 'Excellent')
    """

    def __init__(
        self,
        data: str | Path | Sequence[str | Path] | Account | Data = (),
        policy: str | ScoringPolicy | Draft = DEFAULT_POLICY,
        *,
        against: str | ScoringPolicy = DEFAULT_POLICY,
        selection: Selection | None = None,
        mapping: str = "",
        timezone: str = "",
        roster: str = "",
        policies: Mapping[str, ScoringPolicy] | None = None,
        plan: str | Path = PLAN,
        keep_picture: bool = True,
        **values: Any,
    ) -> None:
        if isinstance(data, Account):
            data = Data.of_account(data)
        elif not isinstance(data, Data):
            data = Data.of_paths(data, mapping=mapping, timezone=timezone, roster=roster)
        data.policies.update(policies or {})
        trial = trial_of(data, policy, against).updated(**values)
        self.plan = str(plan)
        self._saved: tuple[ScoringPolicy, Path] | None = None
        self._mark = secrets.token_hex(6)
        kept = Kept(
            lambda: (self.model.trial, self.model.scored),
            lambda state: picture_html(self.model.bench, state[0], state[1], self._mark),
            "The threshold lab's last view as tables and a chart.",
            lambda words: boxed(self._mark, TITLE, words),
        )
        super().__init__(Model(data, trial, selection), kept, keep_picture=keep_picture)

    @property
    def data(self) -> Data:
        """What is scored."""
        return self.model.data

    @property
    def trial(self) -> Trial:
        """What is tried, as it is now."""
        return self.model.trial

    @property
    def draft(self) -> Draft:
        """The draft as it is now, whether or not it is a policy."""
        return self.model.draft

    @property
    def policy(self) -> ScoringPolicy:
        """The policy that the draft is.

        Raises:
            PolicyError: It is none; the message says why.
        """
        return self.model.policy

    def _made(self) -> ModelWidget:
        from senderscore_nb.lab.answers import Drawn, handlers
        from senderscore_nb.widget.view import ModelWidget

        return ModelWidget("lab", Drawn(self.model), handlers(self), self._mark)

    def begin(self, policy: str) -> Self:
        """Start again from a policy, by its name or the path of its TOML file."""
        self.model.begin(policy)
        return self._redrawn()

    def code(self) -> str:
        """The cell that makes the draft and scores with it."""
        return code_of_draft(self.model.bench, self.trial)

    def save_policy(
        self,
        name: str,
        path: str | Path = "",
        *,
        source: str = "",
        version: int = 1,
        overwrite: bool = False,
    ) -> Path:
        """Write the draft to a TOML file, and go on with it under its new name.

        Args:
            name: The policy's name, which may not be a preset's.
            path: The file; named after the policy unless given.
            source: Where the thresholds come from.
            version: Of the policy.
            overwrite: Whether an older policy in that file may go.

        Raises:
            PolicyError: The draft is no policy, the name is not valid, or the file is there.
        """
        policy = named(self.policy, name, source, version)
        file = save_policy(policy, path or file_of(policy.name), overwrite=overwrite)
        self._saved = policy, file
        self.model.update({**Draft.of(policy).model_dump(mode="json"), "start": str(file)})
        self._redrawn()
        return file

    def use_in_reports(self, plan: str | Path = "", reports: Sequence[str] = ()) -> Path:
        """Have reports of a plan scored with the policy that was saved.

        Args:
            plan: The plan's file or folder; the lab's unless given.
            reports: Names of the reports; all of them unless given.

        Raises:
            SenderScoreError: The draft was not saved as it is, or the plan cannot be changed.
        """
        return use_in_reports(self._saved_file(), plan or self.plan, reports)

    def picture(self) -> str:
        """The trial as static tables and a chart in HTML."""
        return picture_html(self.model.bench, self.trial, self.model.scored, self._mark)

    @property
    def is_saved(self) -> bool:
        """The draft was saved as it is now."""
        return self._saved is not None and self._saved[0] == self.policy

    def _saved_file(self) -> Path:
        if self._saved is None or not self.is_saved:
            raise SenderScoreError(
                "The draft is not saved as it is now.", hint="Save it first (save_policy)."
            )
        return self._saved[1]
