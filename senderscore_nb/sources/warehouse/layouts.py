"""How Fivetran and Airbyte lay out a copy of HubSpot: tables, and what their columns are.

Fivetran: `engagement_email` with `property_hs_…`, beside it `engagement`, `engagement_contact` and
`owner`. Airbyte: `engagements_emails` with `properties_hs_…`, or one column `properties` that holds
all of them, and `owners`; in append mode several versions of a mail.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from senderscore_nb.errors import MappingError, ReadError, did_you_mean
from senderscore_nb.safe import shown
from senderscore_nb.sources.emails.columns import MAIL, NEEDED, unprefixed
from senderscore_nb.sources.forms import fold

LayoutName = Literal["fivetran", "airbyte"]


@dataclass(frozen=True)
class Layout:
    """One way to lay out a copy.

    Attributes:
        name: Whose.
        mails: The table of mails.
        owners: The table of owners.
        beside: Tables that say more about a mail, if they are there.
        ids: Headers of a mail's id, the best first.
        modified: Headers of when a mail was modified, the best first.
        synced: When a row was written.
        deleted: Whether a row is deleted.
        more: Headers beside those of `columns.MAIL`, for columns of mail.
    """

    name: LayoutName
    mails: str
    owners: str
    beside: tuple[str, ...]
    ids: tuple[str, ...]
    modified: tuple[str, ...]
    synced: str
    deleted: str
    more: dict[str, tuple[str, ...]] = field(default_factory=dict)


FIVETRAN = Layout(
    name="fivetran",
    mails="engagement_email",
    owners="owner",
    beside=("engagement", "engagement_contact"),
    ids=("engagement_id", "hs_object_id", "id"),
    modified=("hs_lastmodifieddate",),
    synced="_fivetran_synced",
    deleted="_fivetran_deleted",
    more={"thread_id": ("thread_id",), "status": ("status",), "sender": ("from_email",)},
)
AIRBYTE = Layout(
    name="airbyte",
    mails="engagements_emails",
    owners="owners",
    beside=(),
    ids=("id", "hs_object_id"),
    modified=("updatedAt", "updated_at", "hs_lastmodifieddate"),
    synced="_airbyte_extracted_at",
    deleted="archived",
)
LAYOUTS: tuple[Layout, ...] = (FIVETRAN, AIRBYTE)

OWNERS: dict[str, tuple[str, ...]] = {
    "owner_id": ("owner_id", "id"),
    "user_id": ("user_id", "userId", "active_user_id", "userIdIncludingInactive"),
    "email": ("email",),
    "first_name": ("first_name", "firstName"),
    "last_name": ("last_name", "lastName"),
}
"""Column of an owner → headers; what the first leaves blank the next may know."""

ROLES: dict[str, tuple[str, ...]] = {
    column: headers for column, headers in MAIL.items() if column not in ("mail_id", "modified")
}


def found_layout(tables: Sequence[str], asked: LayoutName | None, where: str) -> Layout:
    """The layout whose table of mails is there.

    Raises:
        ReadError: None is there, or both.
    """
    names = {name.casefold() for name in tables}
    if asked is not None and asked not in [layout.name for layout in LAYOUTS]:
        raise ReadError(
            f"There is no layout {shown(asked)!r}.", hint="Known: 'fivetran', 'airbyte'."
        )
    there = [x for x in LAYOUTS if x.mails in names and asked in (None, x.name)]
    if len(there) == 1:
        return there[0]
    if there:
        raise ReadError(
            "There are copies of Fivetran and of Airbyte here.",
            where=where,
            hint="Say which: --layout fivetran or airbyte; or name the schema of one.",
        )
    wanted = [x.mails for x in LAYOUTS if asked in (None, x.name)]
    raise ReadError(
        f"There is no table {' or '.join(map(repr, wanted))} here.",
        where=where,
        hint=did_you_mean(wanted[0], [shown(name) for name in tables]),
    )


@dataclass(frozen=True)
class Places:
    """Where a table of mails has what is needed.

    Attributes:
        roles: Column of mail → place of its header; `mail_id` and `modified` are apart.
        ids: Places of ids, the best first.
        modified: Places of when it was modified, the best first.
        synced: Place of when the row was written.
        deleted: Place of whether it is deleted.
        properties: Place of the one column that holds all properties.
        contacts: Place of a list of contacts.
    """

    roles: dict[str, int]
    ids: tuple[int, ...]
    modified: tuple[int, ...]
    synced: int | None
    deleted: int | None
    properties: int | None
    contacts: int | None

    @property
    def all(self) -> list[int]:
        """All of them, in order."""
        single = (self.synced, self.deleted, self.properties, self.contacts)
        used = {*self.roles.values(), *self.ids, *self.modified, *single}
        return sorted(place for place in used if place is not None)


def find_places(headers: Sequence[str], layout: Layout, *, where: str) -> Places:
    """The places of a mail's columns.

    Raises:
        MappingError: A column that is needed is not there.
    """
    folded: dict[str, int] = {}
    # A property goes before a column of the copy's own with its name.
    for place, header in enumerate(headers):
        folded.setdefault(fold(header), place)
    for place, header in enumerate(headers):
        if unprefixed(header) != header.strip():
            folded[fold(unprefixed(header))] = place

    def of(names: Sequence[str]) -> list[int]:
        return [folded[fold(name)] for name in names if fold(name) in folded]

    roles = {}
    for column, names in ROLES.items():
        if found := of((*names, *layout.more.get(column, ()))):
            roles[column] = found[0]

    def one(name: str) -> int | None:
        return next(iter(of((name,))), None)

    ids = tuple(of(layout.ids))
    places = Places(
        roles, ids, tuple(of(layout.modified)),
        *map(one, (layout.synced, layout.deleted, "properties", "contacts")),
    )  # fmt: skip
    beside = {"at"} if layout.beside else set()
    missing = [c for c in NEEDED if c not in roles and c != "mail_id" and c not in beside]
    missing += [] if ids else ["mail_id"]
    if missing and places.properties is None:
        wanted = MAIL[missing[0]][0]
        raise MappingError(
            f"There is no column for {', '.join(MAIL[column][0] for column in missing)}.",
            where=where,
            hint="The copy must hold these properties of e-mails: choose them in the connector. "
            + did_you_mean(wanted, [shown(header) for header in headers]),
        )
    return places


def owner_places(headers: Sequence[str]) -> dict[str, list[int]]:
    """The places of an owner's columns, the best first."""
    folded = {fold(unprefixed(header)): place for place, header in enumerate(headers)}
    return {
        column: places
        for column, names in OWNERS.items()
        if (places := [folded[fold(name)] for name in names if fold(name) in folded])
    }
