"""Reports: parameterised notebooks → pages.

`frame` computes, `weekly` and `sender` compose, `words` phrases, `blocks` shows, `run` runs a
notebook, and `page` makes its HTML. Notebooks call `weekly.WeeklyReport` and `sender.SenderReport`.
"""

from senderscore_nb.reports.notebooks import find_notebook, notebook_names
from senderscore_nb.reports.run import ReportOutput, run_report

__all__ = ["ReportOutput", "find_notebook", "notebook_names", "run_report"]
