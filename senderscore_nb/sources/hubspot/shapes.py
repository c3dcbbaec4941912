"""The shapes of HubSpot's answers, as far as they are used; others are refused."""

from __future__ import annotations

from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

Id = Annotated[str, Field(pattern=r"^[0-9]{1,19}$")]


class Answer(BaseModel):
    """What all answers share: further keys are passed over, numbers may stand for texts."""

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        alias_generator=to_camel,
        coerce_numbers_to_str=True,
        hide_input_in_errors=True,
    )


class Next(Answer):
    """Where the next page begins."""

    after: str


class Paging(Answer):
    """What pages there are beside this one."""

    next: Next | None = None


class MailObject(Answer):
    """One e-mail object.

    Attributes:
        id: A number, as text.
        created_at: When the object was made; it never changes.
        updated_at: When it was last modified.
        properties: The properties that were asked for; null where one is empty.
    """

    id: Id
    created_at: AwareDatetime
    updated_at: AwareDatetime
    properties: dict[str, str | None]


class MailPage(Answer):
    """A page of a search; `total` counts all that match, not those of the page alone."""

    total: Annotated[int, Field(ge=0)]
    results: tuple[MailObject, ...]


class MailBatch(Answer):
    """Mails that were asked for by id; those that are gone are not in it."""

    results: tuple[MailObject, ...]


class Owner(Answer):
    """One owner; `user_id` is null once the user is deactivated."""

    id: str
    archived: bool
    email: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    user_id: int | None = None
    user_id_including_inactive: int | None = None


class OwnerPage(Answer):
    """A page of owners."""

    results: tuple[Owner, ...]
    paging: Paging | None = None


class Sequence(Answer):
    """One sequence, without its steps."""

    id: str
    name: str
    user_id: str
    created_at: AwareDatetime
    updated_at: AwareDatetime


class SequencePage(Answer):
    """A page of the sequences of one user."""

    results: tuple[Sequence, ...]
    paging: Paging | None = None


class ObjectId(Answer):
    """An object by its id."""

    id: str


class Target(Answer):
    """What an object is associated with."""

    to_object_id: str


class Association(Answer):
    """All that one object is associated with; more than a page where there is `paging`."""

    from_: Annotated[ObjectId, Field(alias="from")]
    to: tuple[Target, ...]
    paging: Paging | None = None


class AssociationBatch(Answer):
    """The associations of several objects; those without any are not in it."""

    results: tuple[Association, ...]
