"""Sending what is in the outbox: each recipient once a period, whatever happens in between.

The ledger is written before and after each message. One that was begun and never ended may have
been sent, so it is not sent again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

from senderscore_nb.delivery.errors import DeliveryError
from senderscore_nb.delivery.message import Occasion, Page, compose
from senderscore_nb.delivery.recipients import Recipient
from senderscore_nb.delivery.settings import MailSettings, WebhookSettings
from senderscore_nb.delivery.smtp import Mailer
from senderscore_nb.delivery.webhook import post
from senderscore_nb.errors import SecretError
from senderscore_nb.schedule.due import pause_after
from senderscore_nb.schedule.history import History, Target
from senderscore_nb.schedule.ledger import Ledger
from senderscore_nb.schedule.letters import MAIL, WEBHOOK
from senderscore_nb.schedule.outbox import Letter, Outbox
from senderscore_nb.schedule.project import Project
from senderscore_nb.schedule.redact import Redactor
from senderscore_nb.schedule.watch import Watch

_FINAL = ("sent", "uncertain")
"""States after which a message is never sent again: accepted, or perhaps accepted. After `failed`
it is by itself, after `refused` only when somebody asks for it."""

Message = tuple[Target, str, str]


@dataclass
class Messages:
    """What became of messages: lines about each.

    Attributes:
        sent: Accepted.
        failed: Not accepted, or nobody knows.
    """

    sent: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


def tell_all(
    project: Project, ledger: Ledger, watch: Watch, *, insist: bool = False, only: str = ""
) -> Messages:
    """Send every letter of the outbox to everybody who was not told yet.

    What failed is tried again after a pause, and not for ever: as often as a report is. A dead
    recipient does not keep the others from theirs.

    Args:
        project: The plan.
        ledger: Says who was told, and is told.
        watch: Who is told of the progress.
        insist: Try again now what failed or was refused.
        only: Letters of this report only.
    """
    outbox, messages = Outbox(project.output), Messages()
    letters = [letter for letter in outbox.letters() if only in ("", letter.target.report)]
    if not letters:
        return messages
    teller = _Teller(project, ledger, messages, watch, insist=insist)
    for letter in letters:
        if not teller.is_wanted(letter):
            outbox.remove(letter)
    letters = [teller.addressed(x) for x in letters if teller.is_wanted(x) and teller.is_true(x)]
    waiting = [letter for letter in letters if teller.is_waiting(letter)]
    if project.plan.mail and (mails := [letter for letter in waiting if letter.mail]):
        teller.mail(mails, project.plan.mail)
    if project.plan.webhook:
        for letter in waiting:
            if letter.line:
                teller.post(letter, project.plan.webhook)
    for letter in letters:
        if teller.is_finished(letter):
            outbox.remove(letter)
    return messages


class _Teller:
    def __init__(
        self, project: Project, ledger: Ledger, messages: Messages, watch: Watch, *, insist: bool
    ) -> None:
        self.project, self.ledger, self.messages = project, ledger, messages
        self.watch, self.insist = watch, insist
        self.history = History.of(ledger.records())
        self.told = self.history.told
        self.reports = {report.name: report for report in project.plan.reports}
        hides = project.plan.privacy.redact == "people"
        self._shown = Redactor("contacts" if hides else "none", project.key())
        for message, record in list(self.told.items()):
            if record.event == "telling":
                text = "The run ended while this was being sent; it may have arrived."
                self._note(message, status="uncertain", attempt=1, error=text)

    def is_wanted(self, letter: Letter) -> bool:
        """Whether the plan still has its report, and a way to send it."""
        way = self.project.plan.mail if letter.mail else self.project.plan.webhook
        return letter.target.report in self.reports and way is not None

    def is_true(self, letter: Letter) -> bool:
        """Whether the page that it tells of was made, by the ledger."""
        made = self.history.made(letter.target)
        return not letter.mail or (made is not None and made.id == letter.run)

    def addressed(self, letter: Letter) -> Letter:
        """The letter to those whom the plan names now; senders and teams stay as they were."""
        if not letter.mail:
            return letter
        to = self.reports[letter.target.report].tell.to
        rest = [r for r in letter.recipients if r.reason != "to" and r.address not in to]
        return replace(letter, recipients=(*(Recipient(a, "to") for a in to), *rest))

    def is_waiting(self, letter: Letter) -> bool:
        """Whether somebody is to be told of it now."""
        return any(self._is_open(self._message(letter, a)) for a in _addresses(letter))

    def is_finished(self, letter: Letter) -> bool:
        """Whether nobody will ever be told of it again."""
        states = [self.told.get(self._message(letter, a)) for a in _addresses(letter)]
        return all(state is not None and state["status"] in _FINAL for state in states)

    def mail(self, letters: list[Letter], settings: MailSettings) -> None:
        """Send mails through one connection."""
        try:
            with Mailer(settings, self.project.folder) as mailer:
                for letter in letters:
                    self._mail_one(letter, settings, mailer)
        except (DeliveryError, SecretError) as error:
            self._say(f"mail: {error}", well=False)

    def _mail_one(self, letter: Letter, settings: MailSettings, mailer: Mailer) -> None:
        file = self.project.output / letter.page
        page = Page(letter.page, file.read_bytes()) if file.is_file() else None
        for recipient in letter.recipients:
            if not self._is_open(self._message(letter, recipient.address)):
                continue
            send = partial(_compose_and_send, letter, recipient, page, settings, mailer)
            self._attempt(self._message(letter, recipient.address), send)

    def post(self, letter: Letter, settings: WebhookSettings) -> None:
        """Post a line to the webhook."""
        send = partial(post, settings, letter.line, self.project.folder)
        self._attempt(self._message(letter, WEBHOOK), send)

    def _attempt(self, message: Message, send: Callable[[], None]) -> None:
        target, channel, address = message
        before = self.told.get(message)
        attempt = 1 if before is None or self.insist else int(before["attempt"] or 0) + 1
        self.ledger.add("telling", **target._asdict(), channel=channel, address=address)
        status, text = "sent", ""
        try:
            send()
        except DeliveryError as error:
            text = self._shown.text(str(error))
            status = "uncertain" if error.uncertain else "failed"
            if error.permanent and not error.everyone:
                status = "refused"
            if error.everyone and not error.permanent:
                attempt -= 1  # the server is away: that is not this message's doing
        except SecretError as error:
            text, status = self._shown.text(str(error)), "failed"
        except (ValueError, LookupError, TypeError) as error:
            status, text = "refused", f"The message cannot be written ({type(error).__name__})."
        self._note(message, status=status, attempt=attempt, error=text)
        name = f"{channel} to {address}" if channel == MAIL else channel
        about = " ".join(part for part in target if part)
        self._say(f"{name} about {about}: {status}. {text}".strip(), well=status == "sent")

    def _say(self, line: str, *, well: bool) -> None:
        (self.messages.sent if well else self.messages.failed).append(line)
        self.watch.say(line)

    def _note(self, message: Message, *, status: str, attempt: int, error: str) -> None:
        target, channel, address = message
        values = {"channel": channel, "address": address, "status": status, "attempt": attempt}
        if error:
            values["error"] = error
        self.told[message] = self.ledger.add("told", **target._asdict(), **values)

    def _is_open(self, message: Message) -> bool:
        state = self.told.get(message)
        if state is None:
            return True
        if state["status"] in _FINAL or self.insist:
            return state["status"] not in _FINAL
        attempt = int(state["attempt"] or 0)
        late_enough = self.ledger.now() >= state.at + pause_after(attempt)
        return state["status"] == "failed" and late_enough and attempt < self._attempts

    @property
    def _attempts(self) -> int:
        return self.project.plan.run.attempts

    def _message(self, letter: Letter, address: str) -> Message:
        """What the ledger calls it; where people are redacted the address is a pseudonym."""
        return letter.target, MAIL if letter.mail else WEBHOOK, self._shown.text(address.casefold())


def _compose_and_send(
    letter: Letter, recipient: Recipient, page: Page | None, settings: MailSettings, mailer: Mailer
) -> None:
    assert letter.mail is not None  # noqa: S101
    occasion = Occasion(*letter.target)
    outgoing = compose(letter.mail, recipient, occasion, settings=settings, page=page)
    mailer.send(outgoing.message, recipient.address)


def _addresses(letter: Letter) -> list[str]:
    return [r.address for r in letter.recipients] if letter.mail else [WEBHOOK]
