"""The words of the simulated account: sources, segments, stages, and the ways to end."""

from __future__ import annotations

from dataclasses import dataclass

CONTACT_SOURCES = (
    ("Website form", 0.35),
    ("Prospecting tool", 0.3),
    ("Event", 0.2),
    ("Referral", 0.15),
)
SEGMENTS = ("Manufacturing", "Public sector", "Retail", "Software")
STAGES = ("Lead", "Marketing qualified", "Sales qualified", "Opportunity")
DOMAINS = (
    *("alder.example.com", "birch.example.com", "cedar.example.com", "elm.example.com"),
    *("harbor.example.net", "island.example.net", "meadow.example.net"),
    *("copper.example.org", "nickel.example.org", "silver.example.org"),
)
FIRST_NAMES = (
    *("alex", "ben", "chen", "dara", "emma", "fatima", "goran", "hugo"),
    *("ines", "jonas", "karin", "leila", "marco", "nora", "olu", "pia"),
)


@dataclass(frozen=True)
class Ending:
    """A way to end: our word, the share of those neither bounced nor replied, HubSpot's words."""

    reason: str
    share: float
    source: str = ""
    error: str = ""

    @property
    def state(self) -> str:
        """HubSpot's word for the state."""
        return "UNENROLLED" if self.source else "FINISHED"


ENDINGS = (
    Ending("finished", 0.875),
    Ending("manual", 0.045, "MANUAL"),
    Ending("workflow", 0.025, "WORKFLOW"),
    Ending("account_reply", 0.015, "ACCOUNT_REPLY"),
    Ending("meeting", 0.012, "MEETING"),
    Ending("account_meeting", 0.003, "ACCOUNT_MEETING"),
    Ending("unsubscribed", 0.011, "ERROR", "UNSUBSCRIBED"),
    Ending("blocked", 0.009, "ERROR", "RECIPIENT_PREVIOUSLY_BOUNCED_ON_PORTAL"),
    Ending("error", 0.005, "ERROR", "DISCONNECTED_INBOX"),
    Ending("reply", 0.0, "REPLY"),
    Ending("thread_reply", 0.0, "THREAD_REPLY"),
    Ending("bounced", 0.0, "ERROR", "BOUNCED"),
)

CODE = {ending.reason: code for code, ending in enumerate(ENDINGS)}
"""The place of an ending in `ENDINGS` by its reason."""
