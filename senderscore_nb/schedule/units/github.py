"""A workflow of GitHub Actions, for a repository that is the project's folder.

What was made and told must be known to the next run, or everybody is told twice. A cache may be
dropped at any time and artifacts go away, so pages and ledger are kept on a branch of their own, as
one commit that each run replaces: it does not grow, and the push is refused where the branch is not
the one that was read.
"""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path, PurePosixPath

from senderscore_nb.errors import PlanError
from senderscore_nb.schedule.units.target import Target

LEAST_MINUTES = 5
"""How often GitHub starts a workflow at most."""

_WORKFLOW = """\
# Sender score reports: makes what is due, and does nothing else.
# It goes to .github/workflows/senderscore.yml of a repository that is the project's folder:
# commit and push it to the default branch, where GitHub looks for schedules.
#{how}
# Pages and ledger are kept on the branch "reports-state", in one commit that each run replaces;
# whoever can read the repository can read them. A cache or artifacts may be gone by the next run,
# and then everybody would be told twice.
name: Sender score reports

on:
  schedule:
    # In UTC, and often late. The plan has its own time zone, and decides what is due.
    - cron: "{cron}"
  workflow_dispatch:

permissions: {{}}

concurrency:
  group: senderscore-reports
  cancel-in-progress: false

jobs:
  reports:
    runs-on: ubuntu-latest
    timeout-minutes: 120
    permissions:
      contents: write  # for the branch of pages and ledger
    defaults:
      run:
        shell: bash
    env:
      REPORTS_PLAN: {plan}
      REPORTS_PAGES: {pages}
      REPORTS_BRANCH: refs/heads/reports-state
    steps:
      - uses: actions/checkout@v6

      - uses: actions/setup-python@v6
        with:
          python-version: "3.12"

      - name: Install
        run: python -m pip install "{package}"

      - name: Get the pages and the ledger of the last run
        id: state
        run: |
          # Status 2 says that there is no such branch; anything else is no answer, and stops here.
          status=0
          git ls-remote --exit-code origin "$REPORTS_BRANCH" || status=$?
          case $status in
            0) git fetch --depth=1 origin "$REPORTS_BRANCH"
               before=$(git rev-parse FETCH_HEAD)
               mkdir -p -- "$REPORTS_PAGES"
               git archive "$before" | tar -x -f - -C "$REPORTS_PAGES" ;;
            2) before= ;;
            *) exit "$status" ;;
          esac
          echo "before=$before" >>"$GITHUB_OUTPUT"

      - name: Make what is due
        run: senderscore reports run --due --plan "$REPORTS_PLAN"
{secrets}
      - name: Keep the pages and the ledger for the next run
        if: always() && steps.state.outcome == 'success'
        env:
          REPORTS_BEFORE: ${{{{ steps.state.outputs.before }}}}
        run: |
          mkdir -p -- "$REPORTS_PAGES" "$RUNNER_TEMP/pages"
          export GIT_DIR="$PWD/.git" GIT_INDEX_FILE="$RUNNER_TEMP/state-index"
          export GIT_AUTHOR_NAME=senderscore GIT_AUTHOR_EMAIL=senderscore@localhost
          export GIT_COMMITTER_NAME=senderscore GIT_COMMITTER_EMAIL=senderscore@localhost
          (cd -- "$REPORTS_PAGES" && git --work-tree=. -c core.autocrlf=false add --all --force .)
          tree=$(git write-tree)
          # Nothing is pushed where nothing has changed, nor over what this run has not read.
          kept=
          if [ -n "$REPORTS_BEFORE" ]; then kept=$(git rev-parse "$REPORTS_BEFORE^{{tree}}"); fi
          if [ "$tree" != "$kept" ]; then
            commit=$(git commit-tree "$tree" -m "Pages and ledger")
            git push --force-with-lease="$REPORTS_BRANCH:$REPORTS_BEFORE" origin \\
              "$commit:$REPORTS_BRANCH"
          fi
          cp -R -- "$REPORTS_PAGES/." "$RUNNER_TEMP/pages"

      - uses: actions/upload-artifact@v6
        if: always() && steps.state.outcome == 'success'
        with:
          name: pages
          path: ${{{{ runner.temp }}}}/pages
          if-no-files-found: ignore
"""


def github_files(target: Target) -> dict[str, str]:
    """The workflow.

    Raises:
        PlanError: GitHub cannot call this: too often, a reserved secret, pages elsewhere.
    """
    _check(target)
    how = " Its secrets are set under Settings, Secrets and variables, Actions: "
    text = _WORKFLOW.format(
        how=f"{how}{', '.join(target.secrets)}" if target.secrets else "",
        cron=_cron(target.minutes),
        plan=literal(target.plan.name),
        pages=literal(_pages(target)),
        package=f"senderscore-nb=={version('senderscore-nb')}",
        secrets=_secrets(target),
    )
    return {"senderscore.yml": text}


def literal(text: str) -> str:
    r"""A text as a value in a workflow: quoted for YAML, and no expression for Actions.

    >>> print(literal('${{ github.token }} "x"'))
    "${{ '$' }}{{ github.token }} \"x\""
    """
    text = text.replace("${{", "${{ '$' }}{{")
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(character: str) -> str:
    if character in '\\"':
        return f"\\{character}"
    return character if character.isprintable() else f"\\U{ord(character):08x}"


def _check(target: Target) -> None:
    if target.minutes < LEAST_MINUTES:
        raise PlanError(
            f"GitHub starts a workflow every {LEAST_MINUTES} minutes at most.",
            where="--minutes",
            hint="Take 5 or more; 60 is usual.",
        )
    for name in target.secrets:
        if name.upper().startswith("GITHUB_"):
            raise PlanError(
                f"GitHub has no secrets whose name begins with GITHUB_, as {name} does.",
                where=str(target.plan),
                hint="Name another environment variable in the plan.",
            )


def _pages(target: Target) -> str:
    """The folder of the pages, relative to the repository."""
    pages = PurePosixPath(Path(target.pages).as_posix())
    outside = pages.is_absolute() or ".." in pages.parts or pages.parts[:1] == ("~",)
    if outside or not pages.parts or pages.parts[0] == ".git":
        raise PlanError(
            f"The pages are in {target.pages!r}: no folder of their own in the repository.",
            where=str(target.plan),
            hint='Name one under [output] of the plan, as folder = "reports".',
        )
    return str(pages)


def _cron(minutes: int) -> str:
    """Away from the full hour, when GitHub has most to do."""
    first = 7 % minutes
    return f"{first} * * * *" if minutes == 60 else f"{first}-59/{minutes} * * * *"


def _secrets(target: Target) -> str:
    if not target.secrets:
        return ""
    lines = [f"          {name}: ${{{{ secrets.{name} }}}}\n" for name in target.secrets]
    return "        env:\n" + "".join(lines)
