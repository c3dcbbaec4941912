"""Who sends: the roster of users, teams and paid seats."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from senderscore_nb.contract import Roster
from senderscore_nb.errors import MappingError, ReadError, did_you_mean
from senderscore_nb.sources.mapping import Mapping, Words
from senderscore_nb.sources.parse import clean, parse_boolean, shorten
from senderscore_nb.sources.raw import read_raw

_HEADERS = Mapping(
    name="roster",
    columns={
        "user_id": ("User ID", "Id", "hs_enrolled_by", "Användar-ID"),
        "user_name": ("Name", "User", "Full name", "Namn"),
        "team": ("Team", "Main team", "Grupp"),
        "paid_seat": ("Paid seat", "Seat", "Betald plats"),
        "active": ("Active", "Aktiv"),
        "email": ("Email", "E-mail", "E-post"),
    },
)
_WORDS = Words(true=("true", "yes", "ja", "y", "x", "paid"), false=("false", "no", "nej", "n"))


def read_roster(path: str | Path) -> pl.DataFrame:
    """Read a roster: one row a user.

    Args:
        path: CSV, TSV, XLSX or Parquet with the columns `user_id`, `user_name`, `team`,
            `paid_seat`, `active` and `email`, or their labels; only `user_id` is required.

    Returns:
        The columns of `contract.Roster`, null where the file does not say.

    Raises:
        ReadError: Not readable, no user id, or a user twice; the line is named.
    """
    raw = read_raw(Path(path))
    try:
        places = _HEADERS.find(raw.headers)
    except MappingError as error:
        raise ReadError(error.found, where=str(path), hint=error.hint) from None
    if "user_id" not in places:
        raise ReadError(
            "A roster needs a column user_id.",
            where=str(path),
            hint=did_you_mean("user_id", [shorten(header) for header in raw.headers]),
        )
    columns = {}
    for name, dtype in _schema().items():
        if name not in places:
            columns[name] = pl.Series([None] * raw.frame.height, dtype=dtype)
        elif dtype == pl.Boolean:
            parsed = parse_boolean(raw.frame[str(places[name])], _WORDS, ".", blank_is_false=False)
            _refuse(parsed.bad, raw.lines, path, f"{name}: expected true or false")
            columns[name] = parsed.values
        else:
            columns[name] = clean(raw.frame[str(places[name])])
    roster = pl.DataFrame(columns)
    if raw.broken.height:
        line, reason = raw.broken.row(0)[:2]
        raise ReadError(f"{reason}.", where=f"{path}:{line}")
    _refuse(roster["user_id"].is_null(), raw.lines, path, "user_id: is blank")
    twice = roster["user_id"].is_duplicated()
    if twice.any():
        name = shorten(roster["user_id"].filter(twice)[0])
        _refuse(twice, raw.lines, path, f"user_id: {name!r} is there twice")
    return roster


def _schema() -> dict[str, pl.DataType]:
    return {name: column.dtype for name, column in Roster.columns().items()}


def _refuse(bad: pl.Series, lines: pl.Series, path: str | Path, reason: str) -> None:
    if bad.any():
        raise ReadError(f"{reason}.", where=f"{path}:{lines.filter(bad)[0]}")
