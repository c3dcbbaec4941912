"""What makes mail hard to read, by name."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Nuisances:
    """What makes mail hard to read, each with its share; 0 is off.

    Attributes:
        missing_owners: Mails without an owner id (16–45 % in one measured account).
        automatic_replies: Enrollments that a machine answers.
        unmarked: Of those, the share that nothing marks as automatic.
        lost_threads: Replies whose thread id is not that of the enrollment.
        other_addresses: Replies from a declared alias of the recipient.
        notices: Bounces that only a notice of a gateway tells of.
        mute_notices: Of those, the share that has neither thread nor address.
        several_recipients: Enrollments whose mails also go to a colleague, who does not answer.
        repeated: Ended enrollments that are repeated in the same sequence 2–14 days later.
        late_repeats: Of those, the share that is repeated 22–40 days later instead.
        other_template: Of those, the share that begins with another template.
        overlaps: Enrollments of a contact who is in another sequence of the same sender as well.
        colleagues: Enrollments during which a colleague writes in a thread of their own.
        forwarded: Mails that are forwarded, as an object of their own.
        sender_aliases: Enrollments that are sent from a declared alias of the sender.
        own_mail: One-to-one mails beside those of sequences, by enrollment.
        duplicates: Mails that are there twice, the older copy with an older state.
        shuffled: Mails are in no order.
    """

    missing_owners: float = 0.3
    automatic_replies: float = 0.06
    unmarked: float = 0.1
    lost_threads: float = 0.15
    other_addresses: float = 0.05
    notices: float = 0.3
    mute_notices: float = 0.15
    several_recipients: float = 0.02
    repeated: float = 0.05
    late_repeats: float = 0.2
    other_template: float = 0.3
    overlaps: float = 0.04
    colleagues: float = 0.03
    forwarded: float = 0.02
    sender_aliases: float = 0.05
    own_mail: float = 0.2
    duplicates: float = 0.05
    shuffled: bool = True

    @classmethod
    def none(cls) -> Nuisances:
        """Mail as it would be in a world without trouble."""
        shares = {name: 0.0 for name in cls.__dataclass_fields__ if name != "shuffled"}
        return cls(**shares, shuffled=False)

    def only(self, *names: str) -> Nuisances:
        """These, and none of the others."""
        return replace(Nuisances.none(), **{name: getattr(self, name) for name in names})
