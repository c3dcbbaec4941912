"""Why something was not delivered, and what that means for the next try and for the others."""

from __future__ import annotations

from senderscore_nb.errors import SenderScoreError


class DeliveryError(SenderScoreError):
    """A message was not delivered, or nobody can say whether it was.

    Args:
        found: What is wrong, as a full sentence.
        where: The server, file or key.
        hint: What to do about it.
        permanent: Trying again as it is would fail again.
        uncertain: It may have been delivered; sending it again could deliver it twice.
        everyone: It concerns every recipient: the server, the login, the certificate.
    """

    def __init__(
        self,
        found: str,
        *,
        where: str | None = None,
        hint: str | None = None,
        permanent: bool = False,
        uncertain: bool = False,
        everyone: bool = False,
    ) -> None:
        super().__init__(found, where=where, hint=hint)
        self.permanent = permanent
        self.uncertain = uncertain
        self.everyone = everyone
