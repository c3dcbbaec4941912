"""What the explorer shows, as one frozen value: a view.

A view has a selection and a policy, and says what is looked at and how. It is written as a report's
parameters, as TOML and as a link, and each of these reads back equal.
"""

from __future__ import annotations

import datetime as dt
import json
import tomllib
from collections.abc import Collection, Mapping
from typing import Annotated, Any, Literal, Self
from urllib.parse import parse_qsl, urlencode, urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from senderscore_nb.errors import SelectionError, did_you_mean, first_problem
from senderscore_nb.policy import DEFAULT_POLICY
from senderscore_nb.selection import Day, Selection

PANELS: tuple[str, ...] = ("gauges", "heatmaps", "trend", "table", "compare", "why")
SORTS: tuple[str, ...] = ("score", "name", "ended", "reply_rate", "bounce_rate")

Panel = Literal["gauges", "heatmaps", "trend", "table", "compare", "why"]
Sort = Literal["score", "name", "ended", "reply_rate", "bounce_rate"]
Split = Literal["sequence", "user"]
Basis = Literal["", "ended_on", "enrolled_on"]

_SELECTED = ("users", "teams", "sequences")
_NOT_OURS = ("token", "voila-")
"""Keys of a link that belong to the server it leads to."""


class Side(BaseModel):
    """What a view is compared with: another selection, or another policy, or both.

    Attributes:
        selection: Of the other side.
        policy: Of the other side.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    selection: Selection = Selection()
    policy: Annotated[str, Field(min_length=1)] = DEFAULT_POLICY


class View(BaseModel):
    """A view of an account.

    Attributes:
        selection: Which users, teams, sequences and days.
        policy: A preset's name, the path of a TOML file, or a name that the explorer was given.
        date_basis: The date that the days cut on; the policy's own where empty.
        panel: What is shown: one of `PANELS`.
        user: The sender that was opened; everyone where empty.
        sequence: The sequence of that sender that was opened; all of them where empty.
        brush_start: First day of the weeks that are brushed, or None.
        brush_end: Last day of the weeks that are brushed, or None.
        weeks: Weeks that each point of a trend and each cell of the weeks covers.
        sort: What rows are sorted by: one of `SORTS`.
        descending: The largest first.
        page: Which page of the rows, from 0.
        other: What the view is compared with; the weeks before where None.
        split: What the reasons of a difference are told by: `sequence` or `user`.

    >>> View.create(users=["7"], panel="trend").to_link()
    'users=7&panel=trend'
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    selection: Selection = Selection()
    policy: Annotated[str, Field(min_length=1)] = DEFAULT_POLICY
    date_basis: Basis = ""
    panel: Panel = "gauges"
    user: str = ""
    sequence: str = ""
    brush_start: Day = None
    brush_end: Day = None
    weeks: Annotated[int, Field(ge=1, le=104)] = 4
    sort: Sort = "score"
    descending: bool = True
    page: Annotated[int, Field(ge=0, le=10_000)] = 0
    other: Side | None = None
    split: Split = "sequence"

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.sequence and not self.user:
            raise ValueError("sequence: a sequence is opened for a sender; give the user as well")
        if (self.brush_start is None) != (self.brush_end is None):
            raise ValueError("brush_start and brush_end go together")
        if self.brush_start and self.brush_end and self.brush_end < self.brush_start:
            raise ValueError(f"the brush ends on {self.brush_end}, before it starts")
        if self.selection.factors:
            raise ValueError("factors: the explorer is computed from tallies, which have none")
        return self

    @classmethod
    def create(cls, **changes: Any) -> Self:
        """A view with some of its values given; a selection's keys may be given by themselves.

        Raises:
            SelectionError: An unknown key, or a value that is not valid.
        """
        return cls.parse(changes)

    @classmethod
    def parse(cls, values: Mapping[str, Any], *, where: str = "view") -> Self:
        """A view from plain values, as `to_parameters` gives them.

        Raises:
            SelectionError: An unknown key, or a value that is not valid.
        """
        try:
            return cls.model_validate(_nested(values, cls.model_fields))
        except ValidationError as error:
            problem = first_problem(error)
            key = problem.key.removeprefix("selection.")
            hint = did_you_mean(key, _flat_names()) if problem.unknown else None
            said = f"{key + ': ' if key else ''}{problem.message}."
            raise SelectionError(said, where=where, hint=hint) from None

    def updated(self, **changes: Any) -> Self:
        """The view with some values changed. Updating to a value equals creating with it.

        Raises:
            SelectionError: An unknown key, or a value that is not valid.
        """
        return type(self).parse({**self.to_parameters(), **changes})

    @property
    def seen(self) -> Selection:
        """The selection with the brushed weeks and with what was opened: what is counted."""
        narrowed: dict[str, Any] = {}
        start, end = self.selection.start, self.selection.end
        if self.brush_start and self.brush_end:
            low = max(start or self.brush_start, self.brush_start)
            high = min(end or self.brush_end, self.brush_end)
            # Weeks that the range has left since count for nothing.
            if low <= high:
                narrowed |= {"start": low, "end": high}
        if self.user:
            narrowed |= {"users": (self.user,), "teams": ()}
        if self.sequence:
            narrowed["sequences"] = (self.sequence,)
        return self.selection.model_copy(update=narrowed)

    def to_parameters(self) -> dict[str, Any]:
        """Plain JSON values under flat keys; `other` is a table of its own, left out if None."""
        selected = self.selection.to_parameters()
        del selected["factors"]
        own = self.model_dump(mode="json", exclude={"selection", "other"})
        values = {**selected, **{k: "" if v is None else v for k, v in own.items()}}
        if self.other is not None:
            side = self.other.selection.to_parameters()
            del side["factors"]
            values["other"] = {**side, "policy": self.other.policy}
        return values

    def to_toml(self) -> str:
        """The view as TOML; what has its usual value is left out."""
        values = _told(self.to_parameters(), View().to_parameters())
        other = values.pop("other", None)
        lines = [f"{key} = {_toml(value)}" for key, value in values.items()]
        if other is not None:
            usual = View(other=Side()).to_parameters()["other"]
            lines += ["", "[other]", *(f"{k} = {_toml(v)}" for k, v in _told(other, usual).items())]
        return "\n".join(lines) + "\n"

    @classmethod
    def from_toml(cls, text: str, *, where: str = "view") -> Self:
        """A view from TOML.

        Raises:
            SelectionError: Not TOML, or not a valid view.
        """
        try:
            values = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise SelectionError(f"Not valid TOML: {error}.", where=where) from None
        return cls.parse(values, where=where)

    def to_link(self, *, always: Collection[str] = ()) -> str:
        """The view as the query of a web address; empty for the usual view.

        Args:
            always: Keys that are told even where they have their usual value.
        """
        usual_view = {k: v for k, v in View().to_parameters().items() if k not in always}
        values = _told(self.to_parameters(), usual_view)
        other = values.pop("other", None)
        pairs = _pairs(values, "")
        if other is not None:
            usual = View(other=Side()).to_parameters()["other"]
            told = _told(other, usual) or {"policy": other["policy"]}
            pairs += _pairs(told, "other.")
        return urlencode(pairs)

    @classmethod
    def from_link(cls, link: str) -> Self:
        """A view from a link: a whole address, or its query alone.

        Raises:
            SelectionError: An unknown key, or a value that is not valid.
        """
        query = urlsplit(link).query if "://" in link or link.startswith("/") else link.lstrip("?")
        values: dict[str, Any] = {}
        for name, text in parse_qsl(query, keep_blank_values=True):
            if name.startswith(_NOT_OURS):
                continue
            inside, _, key = name.rpartition(".")
            table = values if inside != "other" else values.setdefault("other", {})
            key = key if inside in ("", "other") else name
            if key in _SELECTED:
                table.setdefault(key, []).append(text)
            else:
                table[key] = text
        return cls.parse(values, where="link")


def _flat_names() -> list[str]:
    own = [name for name in View.model_fields if name != "selection"]
    return [*_SELECTED, "start", "end", *own]


def _nested(values: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    """Flat keys as the fields of a view: a selection's own keys go into its selection."""
    inside = (*_SELECTED, "start", "end", "factors")
    given = values.get("selection") or {}
    chosen = dict(given if isinstance(given, Mapping) else _plain_selection(given))
    chosen |= {key: value for key, value in values.items() if key in inside}
    rest = {key: value for key, value in values.items() if key not in (*inside, "selection")}
    other = rest.get("other")
    if isinstance(other, Mapping):
        rest["other"] = _nested(other, Side.model_fields)
    elif other == "":
        rest["other"] = None
    return {**rest, "selection": chosen} if "selection" in fields else rest


def _plain_selection(given: object) -> dict[str, Any]:
    if isinstance(given, Selection):
        return given.to_parameters()
    raise SelectionError(f"selection: a Selection is expected, found {given!r}.", where="view")


def _told(values: Mapping[str, Any], usual: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value != usual.get(key)}


def _pairs(values: Mapping[str, Any], prefix: str) -> list[tuple[str, str]]:
    pairs = []
    for key, value in values.items():
        for one in value if isinstance(value, list) else [value]:
            text = str(one).lower() if isinstance(one, bool) else str(one)
            pairs.append((prefix + key, text))
    return pairs


def _toml(value: object) -> str:
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def preset_days(first: dt.date, last: dt.date) -> dict[str, tuple[dt.date, dt.date]]:
    """The date ranges that are offered by name, up to the last complete week of the data.

    >>> preset_days(dt.date(2026, 1, 5), dt.date(2026, 3, 4))["week"]
    (datetime.date(2026, 2, 23), datetime.date(2026, 3, 1))
    """
    sunday = last - dt.timedelta(days=(last.weekday() + 1) % 7)
    if sunday < first:
        sunday = last
    return {
        name: (sunday - dt.timedelta(days=7 * weeks - 1), sunday)
        for name, weeks in (("week", 1), ("four_weeks", 4), ("quarter", 13))
    }
