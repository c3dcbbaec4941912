"""What a process that only makes reports can do without."""

from __future__ import annotations

import sys


def spare_grammar() -> None:
    """Keep jsonschema from parsing the grammar of RFC 3987 when it is imported.

    That takes a second, half of a kernel's start, for a check of addresses in JSON that neither
    notebooks nor charts ask for. Only for processes of our own: whoever imports the grammar
    afterwards is told that it is not there.
    """
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
