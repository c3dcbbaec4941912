"""A mail's body as JSON values: between processes, and in the folder of mails not yet sent."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from senderscore_nb.reports.mail import MailBody
from senderscore_nb.reports.mail.parts import Picture


def mail_to_json(body: MailBody) -> dict[str, Any]:
    """JSON values; reads back equal."""
    pictures = [
        {**asdict(picture), "png": base64.b64encode(picture.png).decode()}
        for picture in body.pictures
    ]
    return {"subject": body.subject, "html": body.html, "text": body.text, "pictures": pictures}


def mail_from_json(values: Mapping[str, Any]) -> MailBody:
    """The body again.

    Raises:
        ValueError, TypeError, KeyError: Not such values.
    """
    pictures = tuple(
        Picture(**{**picture, "png": base64.b64decode(picture["png"])})
        for picture in values["pictures"]
    )
    return MailBody(values["subject"], values["html"], values["text"], pictures)
