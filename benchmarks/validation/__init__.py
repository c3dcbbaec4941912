"""Is what the package states true: studies on simulated accounts, whose truth is known.

A topic is a module with `study(accounts, seed)` that returns `Finding`s; it may name parts of its
study in `PARTS` (functions of the same kind), which are then run side by side.
"""
