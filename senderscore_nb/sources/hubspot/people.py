"""Owners and sequences, page by page."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import polars as pl

from senderscore_nb.errors import PullError
from senderscore_nb.sources.hubspot.answers import RefusedError
from senderscore_nb.sources.hubspot.connection import Api, Request
from senderscore_nb.sources.hubspot.shapes import Owner, OwnerPage, Sequence, SequencePage

OWNERS = ("id", "userId", "email", "firstName", "lastName", "archived")
SEQUENCES = ("id", "name", "userId", "createdAt", "updatedAt")

_OWNERS, _SEQUENCES = "/crm/v3/owners", "/automation/v4/sequences"
_MOST = "100"

Page = TypeVar("Page", OwnerPage, SequencePage)


def read_owners(api: Api) -> pl.DataFrame:
    """All owners, those that are archived too.

    Returns:
        `OWNERS`, all text, each owner once, by id. `userId` is also there for users who were
        deactivated.

    Raises:
        ScopeError: The token lacks crm.objects.owners.read.
        PullError: There is no answer.
    """
    found: dict[str, Owner] = {}
    for archived in ("false", "true"):
        asked = {"limit": _MOST, "archived": archived}
        for page in _pages(api, _OWNERS, asked, OwnerPage):
            for owner in page.results:
                found.setdefault(owner.id, owner)  # who came back is no longer archived
    rows = [_owner_row(owner) for owner in found.values()]
    schema = dict.fromkeys(OWNERS, pl.String)
    return pl.DataFrame(rows, schema=schema, orient="row").sort(pl.col("id").str.len_chars(), "id")


def _owner_row(owner: Owner) -> tuple[str | None, ...]:
    user = owner.user_id if owner.user_id is not None else owner.user_id_including_inactive
    return (
        owner.id,
        None if user is None else str(user),
        owner.email or None,
        owner.first_name or None,
        owner.last_name or None,
        str(owner.archived).lower(),
    )


def read_sequences(api: Api, users: Iterable[str], say: Callable[[str], None]) -> pl.DataFrame:
    """The sequences that users have, those that they share too.

    Args:
        api: The open connection.
        users: User ids; the API lists sequences for one user at a time.
        say: Told of how many users the API refused to list for: those without a seat, for one.

    Returns:
        `SEQUENCES`, all text, each sequence once, by id.

    Raises:
        ScopeError: The token lacks automation.sequences.read.
        PullError: There is no answer.
    """
    found: dict[str, Sequence] = {}
    refused: list[RefusedError] = []
    for user in users:
        try:
            for page in _pages(api, _SEQUENCES, {"userId": user, "limit": _MOST}, SequencePage):
                found |= {sequence.id: sequence for sequence in page.results}
        except RefusedError as error:
            refused.append(error)
    if refused:
        say(f"Sequences were not listed for {len(refused)} of the users: {refused[0].found}")
    rows = [
        (s.id, s.name, s.user_id, s.created_at.isoformat(), s.updated_at.isoformat())
        for s in found.values()
    ]
    schema = dict.fromkeys(SEQUENCES, pl.String)
    return pl.DataFrame(rows, schema=schema, orient="row").sort(pl.col("id").str.len_chars(), "id")


def _pages(api: Api, path: str, parameters: dict[str, str], shape: type[Page]) -> Iterator[Page]:
    seen: set[str] = set()
    while True:
        page = api.ask(Request("GET", path, parameters), shape)
        yield page
        if page.paging is None or page.paging.next is None:
            return
        after = page.paging.next.after
        if after in seen:
            raise PullError("The pages go round in a circle.", where=f"GET {path}")
        seen.add(after)
        parameters = {**parameters, "after": after}
