"""The mapping that fits a file's headers, and what it leaves over."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from senderscore_nb.contract import COLUMNS, KEYS, MEASURES
from senderscore_nb.errors import MappingError
from senderscore_nb.safe import shown
from senderscore_nb.sources.forms import fold
from senderscore_nb.sources.mapping import CANONICAL, Mapping, mapping_names, preset

_TAKEN = {*KEYS, *MEASURES, "team"} - set(COLUMNS)
"""Names of tallies and rosters, which a factor would be taken for."""


@dataclass(frozen=True)
class Mapped:
    """A mapping applied to a file's headers.

    Attributes:
        mapping: The mapping.
        places: Column → place of its header.
        unmapped: Headers that mean nothing, each with the nearest known label or "".
    """

    mapping: Mapping
    places: dict[str, int]
    unmapped: dict[str, str]


def choose_mapping(headers: Sequence[str], mapping: Mapping | None, *, where: str) -> Mapped:
    """The given mapping applied to headers, or the one that fits them.

    The canonical names go first; else the preset that finds every column that it needs and the
    most headers. A preset that names headers to know its files by is for no others.

    Raises:
        MappingError: A required column has no header; the nearest headers are offered.
    """
    if mapping is not None:
        return _applied(headers, mapping, where)
    fitting: list[tuple[int, Mapping]] = []
    others: list[tuple[int, Mapping]] = []
    for candidate in (CANONICAL, *(preset(name) for name in mapping_names())):
        if not candidate.knows(headers):
            continue
        try:
            places = candidate.find(headers)
        except MappingError:
            # Two headers of one meaning: said below if no other mapping fits.
            others.append((len(candidate.columns), candidate))
            continue
        fits = set(candidate.needed) <= set(places)
        if fits and candidate is CANONICAL:
            return _applied(headers, candidate, where)
        (fitting if fits else others).append((len(places), candidate))
    _, best = max(fitting or others, key=lambda found: found[0])
    return _applied(headers, best, where)


def _applied(headers: Sequence[str], mapping: Mapping, where: str) -> Mapped:
    try:
        places = mapping.find(headers)
    except MappingError as error:
        raise MappingError(error.found, where=where, hint=error.hint) from None
    for column in sorted(_TAKEN & set(places)):
        raise MappingError(f"columns: {column!r} cannot be a factor's name.", where=where)
    missing = [column for column in mapping.needed if column not in places]
    if missing:
        raise MappingError(
            _missing(headers, mapping, missing), where=where, hint=_how_to(missing[0], mapping)
        )
    labels = {fold(x): x for c, ls in mapping.columns.items() if c not in places for x in (c, *ls)}
    taken = set(places.values())
    unmapped = {h: _near(h, labels) for i, h in enumerate(headers) if i not in taken}
    return Mapped(mapping, places, unmapped)


def _missing(headers: Sequence[str], mapping: Mapping, missing: Sequence[str]) -> str:
    known = {fold(header): header for header in headers}
    parts = []
    for column in missing:
        labels = (column, *mapping.columns.get(column, ()))
        near = next((n for n in (_near(label, known) for label in labels) if n), "")
        parts.append(f"{column} (perhaps {shown(near)!r})" if near else column)
    return f"No header was found for {', '.join(parts)} with the mapping {shown(mapping.name)!r}."


def _how_to(column: str, mapping: Mapping) -> str:
    if mapping.known_by and column in ("user_id", "sequence_id"):
        return (
            "Add a column to the file, or give one value to all of its rows in a TOML file: "
            f"name = 'mine', extends = '{mapping.name}', fixed = {{ {column} = 'a value' }}; "
            "see docs/mapping.md."
        )
    return (
        "Give --mapping NAME, or write a TOML file such as: "
        f"name = 'mine', [columns] {column} = 'The header'; see docs/mapping.md."
    )


def _near(text: str, known: dict[str, str]) -> str:
    """The known text that is nearest, or ""; folded texts are compared."""
    near = difflib.get_close_matches(fold(text)[:200], known, n=1, cutoff=0.6)
    return known[near[0]] if near else ""
