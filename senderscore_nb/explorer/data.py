"""What an explorer explores: tallies under one set of counting rules or another, and names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from pathlib import Path
from threading import RLock
from typing import Any

import numpy as np
import polars as pl

from senderscore_nb.account import Account, open_account
from senderscore_nb.contract import MEASURES
from senderscore_nb.errors import SelectionError, did_you_mean
from senderscore_nb.explorer.index import Mask, TallyIndex
from senderscore_nb.explorer.state import View
from senderscore_nb.labels import Labels, labels_of
from senderscore_nb.policy import CountingRules, ScoringPolicy, load_policy, preset_names
from senderscore_nb.sample import TIMEZONE, sample_folder
from senderscore_nb.selection import Selection

NO_TEAM = "(no team)"

_COUNTED_BY = (
    "date_basis",
    "manual_and_error_count_as_ended",
    "blocked_count_as_bounced",
    "out_of_office_count_as_replies",
)
_KEPT = 4


@dataclass
class Data:
    """Tallies, roster and labels, laid out for look-ups.

    Attributes:
        roster: Who sends, or None.
        labels: Names to show.
        rules: The counting rules of the tallies at hand.
        recount: Counts again under other rules; None where the enrollments are not at hand.
        policies: Policies by the names they may be asked for, besides presets and files.
        policy_files: Where policies that go by a name were read from, for plans and code.
        named_only: Policies are taken by name alone, and no file is read that a view asks for.
        opened: How the account was opened, for code that opens it again.
    """

    roster: pl.DataFrame | None
    labels: Labels
    rules: CountingRules
    recount: Callable[[CountingRules], pl.DataFrame] | None
    policies: dict[str, ScoringPolicy] = field(default_factory=dict)
    policy_files: dict[str, str] = field(default_factory=dict)
    named_only: bool = False
    opened: Mapping[str, Any] = field(default_factory=dict)
    _indexes: dict[str, tuple[pl.DataFrame, TallyIndex]] = field(default_factory=dict)
    _read: dict[tuple[str, int], ScoringPolicy] = field(default_factory=dict)
    _lock: RLock = field(default_factory=RLock)

    @classmethod
    def of_account(cls, account: Account, *, opened: Mapping[str, Any] | None = None) -> Data:
        """The data of an account that was opened; it counts again where rules differ.

        Not so where the account was opened from tallies.
        """
        recount = account.reading.counted if account.reading.has_rows else None
        rules = account.policy.counting
        data = cls(account.roster, account.labels, rules, recount, opened=opened or {})
        data._index(rules, account.tallies)
        return data

    @classmethod
    def of_paths(cls, paths: str | Path | Sequence[str | Path], **options: Any) -> Data:
        """The data of exports; of the sample account where there are none.

        Args:
            paths: Files, folders or globs.
            options: `mapping`, `timezone` and `roster`, as `open_account` takes them.
        """
        if not paths:
            opened: dict[str, Any] = {"data": None}
            account = open_account(sample_folder(), timezone=TIMEZONE)
        else:
            given = [paths] if isinstance(paths, str | Path) else list(paths)
            options = {key: value for key, value in options.items() if value}
            opened = {"data": [str(p) for p in given], **options}
            account = open_account(given, as_counted=True, **options)
        return cls.of_account(account, opened=opened)

    @classmethod
    def of_tallies(
        cls,
        tallies: pl.DataFrame,
        *,
        roster: pl.DataFrame | None = None,
        labels: Labels | None = None,
        rules: CountingRules | None = None,
    ) -> Data:
        """The data of tallies alone.

        Args:
            tallies: By `user_id`, `sequence_id` and `day`.
            roster: Who sends.
            labels: Names to show; the ids unless given.
            rules: The rules that they were counted under; the usual ones unless given.
        """
        rules = rules or CountingRules()
        labels = labels or labels_of(tallies.select("user_id", "sequence_id"), roster)
        data = cls(roster, labels, rules, None)
        data._index(rules, tallies)
        return data

    def policy(self, view_policy: str, date_basis: str = "") -> ScoringPolicy:
        """A policy by name, with the date basis that the view asks for.

        Raises:
            PolicyError: There is no such policy, or it is not valid.
        """
        policy = self.policies.get(view_policy) or self._loaded(view_policy)
        if date_basis and policy.counting.date_basis != date_basis:
            counting = policy.counting.model_copy(update={"date_basis": date_basis})
            policy = policy.model_copy(update={"counting": counting})
        return policy

    def policy_shown(self, view_policy: str) -> str:
        """A view's policy as it is called where people choose one: its name, and not its path."""
        if view_policy in self.policy_names:
            return view_policy
        return f"{self.policy(view_policy).name} ({Path(view_policy).name})"

    def index(self, policy: ScoringPolicy) -> TallyIndex:
        """The tallies under a policy's counting rules.

        Raises:
            SelectionError: They would have to be counted again from enrollments that are not here.
        """
        return self._counted(policy)[1]

    def tallies(self, policy: ScoringPolicy) -> pl.DataFrame:
        """The same as a frame."""
        return self._counted(policy)[0]

    def _counted(self, policy: ScoringPolicy) -> tuple[pl.DataFrame, TallyIndex]:
        # The picture of a view is made in another thread while the view goes on.
        with self._lock:
            return self._counted_once(policy.counting)

    def _counted_once(self, rules: CountingRules) -> tuple[pl.DataFrame, TallyIndex]:
        found = self._indexes.get(_mark(rules))
        if found:
            return found
        if self.recount is None:
            differ = [n for n in _COUNTED_BY if getattr(rules, n) != getattr(self.rules, n)]
            raise SelectionError(
                "These tallies were counted under other rules "
                f"({differ[0]} = {getattr(self.rules, differ[0])}).",
                hint="Open the account with its enrollments, or count the tallies again.",
            )
        return self._index(rules, self.recount(rules))

    def check(self, selection: Selection) -> None:
        """Raise where a selection names what is not there.

        Raises:
            SelectionError: A user, sequence or team does not exist.
        """
        for kind, names, known in (
            ("user", selection.users, self.user_labels),
            ("sequence", selection.sequences, self.sequence_labels),
            ("team", selection.teams, dict.fromkeys(self.teams)),
        ):
            for name in names:
                if name not in known:
                    raise SelectionError(
                        f"There is no {kind} {name!r}.", hint=did_you_mean(name, known)
                    )

    def check_view(self, view: View) -> None:
        """Raise where a view cannot be shown.

        Raises:
            SenderScoreError: It names what does not exist, or what cannot be counted here.
        """
        self.check(view.selection)
        if view.user:
            opened = {"users": view.user, "sequences": view.sequence or ()}
            self.check(Selection.parse(opened))
        self.index(self.policy(view.policy, view.date_basis))
        if view.other is not None:
            self.check(view.other.selection)
            self.index(self.policy(view.other.policy, view.date_basis))

    @cached_property
    def user_labels(self) -> dict[str, str]:
        """Labels of the senders by id."""
        return dict(self.labels.users.iter_rows())

    @cached_property
    def sequence_labels(self) -> dict[str, str]:
        """Labels of the sequences by id."""
        return dict(self.labels.sequences.iter_rows())

    @cached_property
    def teams(self) -> list[str]:
        """The teams of the roster."""
        if self.roster is None or "team" not in self.roster.columns:
            return []
        return list(self.roster["team"].drop_nulls().unique().sort())

    @property
    def policy_names(self) -> list[str]:
        """The policies that can be chosen by name."""
        return [*preset_names(), *(n for n in self.policies if n not in preset_names())]

    @property
    def bases(self) -> list[str]:
        """The date bases that can be counted."""
        return ["ended_on", "enrolled_on"] if self.recount else [self.rules.date_basis]

    def users_of(self, index: TallyIndex, selection: Selection) -> Mask | None:
        """Which senders of an index a selection takes; None for all of them."""
        taken = _mask(index.users, selection.users)
        if selection.teams and self.roster is not None:
            members = (self._members.get(team, ()) for team in selection.teams)
            inside = _among(index.users, list(chain.from_iterable(members)))
            taken = inside if taken is None else taken & inside
        return taken

    def sequences_of(self, index: TallyIndex, selection: Selection) -> Mask | None:
        """Which sequences of an index a selection takes; None for all of them."""
        return _mask(index.sequences, selection.sequences)

    def seats(self, index: TallyIndex) -> Mask:
        """Who has a paid seat; whoever the roster does not say of has one."""
        return ~_among(index.users, self._without_seat)

    @cached_property
    def _members(self) -> dict[str, list[str]]:
        """Ids of the senders of each team."""
        if self.roster is None:
            return {}
        found: dict[str, list[str]] = {}
        for user, team in self.roster.select("user_id", "team").drop_nulls().iter_rows():
            found.setdefault(team, []).append(user)
        return found

    @cached_property
    def _without_seat(self) -> list[str]:
        if self.roster is None or "paid_seat" not in self.roster.columns:
            return []
        return self.roster.filter(~pl.col("paid_seat"))["user_id"].to_list()

    def _index(
        self, rules: CountingRules, tallies: pl.DataFrame
    ) -> tuple[pl.DataFrame, TallyIndex]:
        known = (self.labels.users["user_id"], self.labels.sequences["sequence_id"])
        missing = [name for name in MEASURES if name not in tallies.columns]
        tallies = tallies.with_columns(pl.lit(None, pl.Int64).alias(name) for name in missing)
        index = TallyIndex.of(tallies, known[0].to_list(), known[1].to_list())
        while len(self._indexes) >= _KEPT:
            del self._indexes[next(iter(self._indexes))]
        self._indexes[_mark(rules)] = tallies, index
        return tallies, index

    def _loaded(self, name: str) -> ScoringPolicy:
        if (name, 0) in self._read:
            return self._read[name, 0]
        if name in preset_names():
            self._read[name, 0] = load_policy(name)
            return self._read[name, 0]
        if self.named_only:
            raise SelectionError(
                f"There is no policy {name!r} here.", hint=did_you_mean(name, self.policy_names)
            )
        try:
            changed = max(Path(name).stat().st_mtime_ns, 1)
        except (OSError, ValueError):
            hint = f"{did_you_mean(name, self.policy_names)} Or give the path of a TOML file."
            raise SelectionError(f"There is no policy {name!r}.", hint=hint) from None
        if (name, changed) not in self._read:
            self._read[name, changed] = load_policy(Path(name))
        return self._read[name, changed]


def _mark(rules: CountingRules) -> str:
    return str([getattr(rules, name) for name in _COUNTED_BY])


def _mask(ids: Sequence[str], chosen: Sequence[str]) -> Mask | None:
    """Which ids are chosen; None for all of them, where none is named."""
    return _among(ids, chosen) if chosen else None


def _among(ids: Sequence[str], chosen: Sequence[str]) -> Mask:
    wanted = set(chosen)
    return np.fromiter((name in wanted for name in ids), dtype=bool, count=len(ids))
