"""Claims about certainty, held against simulated accounts whose truth is known."""
