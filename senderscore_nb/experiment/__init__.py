"""Other thresholds: fitted to what the vendor's report shows."""
