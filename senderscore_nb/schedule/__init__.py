"""Scheduled reports: plan → due → run → ledger → index, mails and alerts.

`plan` is what a team wants, `due` what of it is to be done now, `run` does it, `ledger` says what
was done, and everything else is read from the ledger.
"""
