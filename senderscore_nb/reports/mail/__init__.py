"""An executed notebook → the mail that tells of its report."""

from senderscore_nb.reports.mail.body import TAG, MailBody, mail_body, subject
from senderscore_nb.reports.mail.json import mail_from_json, mail_to_json

__all__ = ["TAG", "MailBody", "mail_body", "mail_from_json", "mail_to_json", "subject"]
