"""`python -m senderscore_nb.sample OUTDIR [--seed N]`: write the sample account."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence as Many

from senderscore_nb.errors import SenderScoreError
from senderscore_nb.sample.account import SEED
from senderscore_nb.sample.files import write_sample


def main(arguments: Many[str] | None = None) -> int:
    """Write the files and print their paths; 0, or 1 where they cannot be written."""
    parser = argparse.ArgumentParser(
        prog="python -m senderscore_nb.sample",
        description="Write the simulated account: exports, a roster, and the planted truth.",
    )
    parser.add_argument("folder", metavar="OUTDIR", help="made where it does not exist")
    parser.add_argument("--seed", type=_seed, default=SEED, help="default: %(default)s")
    options = parser.parse_args(arguments)
    try:
        for path in write_sample(options.folder, seed=options.seed):
            sys.stdout.write(f"{path}\n")
    except SenderScoreError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _seed(text: str) -> int:
    seed = int(text)
    if seed < 0:
        raise argparse.ArgumentTypeError("a seed is 0 or greater")
    return seed


if __name__ == "__main__":
    sys.exit(main())
