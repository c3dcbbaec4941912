"""What is still to be told: mails and lines to a webhook, kept until the ledger says they are sent.

A message is put here before the ledger calls its page made, so that a killed process loses none.
Files can be read by their owner only, since they hold addresses.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from senderscore_nb.delivery.recipients import Recipient
from senderscore_nb.reports.mail import MailBody, mail_from_json, mail_to_json
from senderscore_nb.safe import safe_filename, write_atomically
from senderscore_nb.schedule.history import Target
from senderscore_nb.schedule.ledger import FOLDER


@dataclass(frozen=True)
class Letter:
    """What is told of one page, or of a batch.

    Attributes:
        target: The page, or for a webhook the batch.
        page: The page's file below the output folder, or "".
        recipients: Who gets it by mail.
        mail: What the mail says.
        line: What is posted to the webhook.
    """

    target: Target
    page: str = ""
    recipients: tuple[Recipient, ...] = ()
    mail: MailBody | None = None
    line: str = ""

    @property
    def name(self) -> str:
        """Its file's name, without ending."""
        kind = "mail" if self.mail else "webhook"
        return safe_filename("\n".join((kind, *self.target)))


@dataclass(frozen=True)
class Outbox:
    """The letters of an output folder."""

    output: Path
    folder: Path = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "folder", self.output / FOLDER / "outbox")

    def put(self, letter: Letter) -> None:
        """Keep a letter; one about the same target is replaced.

        Raises:
            OSError: It cannot be written.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        values = {
            "target": list(letter.target),
            "page": letter.page,
            "recipients": [list(recipient) for recipient in letter.recipients],
            "mail": mail_to_json(letter.mail) if letter.mail else None,
            "line": letter.line,
        }
        file = self.folder / f"{letter.name}.json"
        write_atomically(file, json.dumps(values), mode=0o600)

    def remove(self, letter: Letter) -> None:
        """Everybody was told."""
        (self.folder / f"{letter.name}.json").unlink(missing_ok=True)

    def letters(self) -> Iterator[Letter]:
        """Every letter; a file that is not one is passed over."""
        for file in sorted(self.folder.glob("*.json")):
            try:
                yield _letter(json.loads(file.read_text(encoding="utf-8")))
            except (OSError, ValueError, TypeError, KeyError):
                continue


def _letter(values: dict[str, Any]) -> Letter:
    return Letter(
        Target(*values["target"]),
        values["page"],
        tuple(Recipient(*recipient) for recipient in values["recipients"]),
        mail_from_json(values["mail"]) if values["mail"] else None,
        values["line"],
    )
