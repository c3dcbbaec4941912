"""Delivery: messages through SMTP, and a line to a webhook.

`settings` is what a plan says, `recipients` who gets what, `message` the message
itself, `smtp` and `webhook` the ways out. There is no memory here of what was sent.
"""

from senderscore_nb.delivery.errors import DeliveryError
from senderscore_nb.delivery.message import Occasion, Outgoing, Page, compose, planned
from senderscore_nb.delivery.recipients import Recipient, Told, recipients, unknown_teams
from senderscore_nb.delivery.settings import Audience, MailSettings, WebhookSettings
from senderscore_nb.delivery.smtp import Mailer
from senderscore_nb.delivery.webhook import post, webhook_text

__all__ = [
    "Audience",
    "DeliveryError",
    "MailSettings",
    "Mailer",
    "Occasion",
    "Outgoing",
    "Page",
    "Recipient",
    "Told",
    "WebhookSettings",
    "compose",
    "planned",
    "post",
    "recipients",
    "unknown_teams",
    "webhook_text",
]
