"""Who is who: owner ids, user ids and addresses, and the aliases of addresses."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from senderscore_nb.errors import MappingError, ReadError, did_you_mean
from senderscore_nb.sources.emails.addresses import addresses
from senderscore_nb.sources.mapping import Mapping
from senderscore_nb.sources.parse import clean, shorten
from senderscore_nb.sources.raw import RawTable, read_raw

_OWNERS = Mapping(
    name="owners",
    columns={
        "owner_id": ("id", "Owner ID", "hs_object_id"),
        "user_id": ("userId", "User ID", "active_user_id", "userIdIncludingInactive"),
        "email": ("E-mail", "Email address"),
        "first_name": ("firstName", "First name"),
        "last_name": ("lastName", "Last name"),
        "user_name": ("name", "Full name"),
    },
)
_ALIASES = Mapping(
    name="aliases",
    columns={"alias": ("other", "Alias address"), "address": ("main", "email", "Main address")},
)

OWNERS = pl.Schema({n: pl.String() for n in ("owner_id", "user_id", "email", "user_name")})


@dataclass(frozen=True)
class People:
    """Owners and aliases.

    Attributes:
        owners: Columns `owner_id`, `user_id`, `email`, `user_name`; any of them may be null.
        aliases: Address → the address that it stands for.
    """

    owners: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=OWNERS))
    aliases: dict[str, str] = field(default_factory=dict)


def read_people(
    owners: str | Path | pl.DataFrame | None, aliases: str | Path | dict[str, str] | None
) -> People:
    """Owners and aliases from their files.

    Args:
        owners: `owner_id`, `user_id` and `email`, as the API's list of owners has them (`id`,
            `userId`, `email`), and names where there are any.
        aliases: `alias` and `address`: mail of the one counts as mail of the other. Or a dict.

    Raises:
        ReadError: Not readable, a column is missing, an owner or an alias is there twice, aliases
            go round in a circle.
    """
    known = _aliases(aliases) if aliases is not None else {}
    if owners is None:
        return People(aliases=known)
    return People(_owners(owners, known), known)


def _owners(owners: str | Path | pl.DataFrame, aliases: dict[str, str]) -> pl.DataFrame:
    where = "owners" if isinstance(owners, pl.DataFrame) else str(owners)
    texts = texts_of(owners, _OWNERS)
    for needed in ("owner_id", "email"):
        if needed not in texts:
            raise ReadError(
                f"The owners need a column {needed}.",
                where=where,
                hint="Expected: owner_id, user_id, email; or the API's id, userId, email.",
            )
    empty = pl.Series([None] * len(texts["owner_id"]), dtype=pl.String)
    texts = dict.fromkeys(("user_id", "user_name", "first_name", "last_name"), empty) | texts
    email = addresses(texts["email"], plus=True, aliases=aliases)
    whole = pl.concat_str("first_name", "last_name", separator=" ", ignore_nulls=True)
    frame = pl.DataFrame({**texts, "email": email}).select(
        "owner_id",
        pl.coalesce("user_id", "owner_id").alias("user_id"),
        "email",
        pl.coalesce("user_name", pl.when(whole != "").then(whole)).alias("user_name"),
    )
    ids = frame["owner_id"].drop_nulls()
    if len(twice := ids.filter(ids.is_duplicated())):
        raise ReadError(f"The owner {shorten(twice[0])!r} is there twice.", where=where)
    return frame.filter(pl.any_horizontal(pl.col("owner_id", "email").is_not_null()))


def _aliases(aliases: str | Path | dict[str, str]) -> dict[str, str]:
    if isinstance(aliases, dict):
        where, pairs = (
            "aliases",
            pl.DataFrame(
                {"alias": list(aliases), "address": list(aliases.values())},
                schema={"alias": pl.String, "address": pl.String},
            ),
        )
    else:
        where = str(aliases)
        texts = texts_of(aliases, _ALIASES)
        for needed in ("alias", "address"):
            if needed not in texts:
                raise ReadError(f"The aliases need a column {needed}.", where=where)
        pairs = pl.DataFrame(texts)
    known: dict[str, str] = {}
    plain = [addresses(pairs[c], plus=True, aliases={}).to_list() for c in ("alias", "address")]
    for alias, address in zip(*plain, strict=True):
        if alias is None or address is None:
            raise ReadError("An alias or its address is blank or no address.", where=where)
        if known.setdefault(alias, address) != address:
            raise ReadError(f"The alias {shorten(alias)!r} stands for two addresses.", where=where)
    return {alias: _end(alias, known, where) for alias in known if known[alias] != alias}


def _end(alias: str, known: dict[str, str], where: str) -> str:
    """The address at the end of a chain of aliases."""
    seen, address = {alias}, known[alias]
    while address in known and known[address] != address:
        if address in seen:
            raise ReadError(f"The alias {shorten(alias)!r} leads back to itself.", where=where)
        seen.add(address)
        address = known[address]
    if address in seen:
        raise ReadError(f"The alias {shorten(alias)!r} leads back to itself.", where=where)
    return address


def texts_of(source: str | Path | pl.DataFrame, mapping: Mapping) -> dict[str, pl.Series]:
    """The columns of a file or a frame that a mapping knows, as clean text."""
    if isinstance(source, pl.DataFrame):
        headers, columns = source.columns, source.get_columns()
        where = mapping.name
    else:
        raw = read_raw(Path(source))
        _refuse_broken(raw, str(source))
        headers, columns = list(raw.headers), raw.frame.get_columns()
        where = str(source)
    try:
        places = mapping.find(headers)
    except MappingError as error:
        raise ReadError(
            error.found, where=where, hint=error.hint or did_you_mean("", headers)
        ) from None
    return {name: clean(columns[place]) for name, place in places.items()}


def _refuse_broken(raw: RawTable, where: str) -> None:
    if raw.broken.height:
        line, reason = raw.broken.row(0)[:2]
        raise ReadError(f"{reason}.", where=f"{where}:{line}")
