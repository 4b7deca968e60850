"""What is broken, and what of each failure: evidence weighed once, here; study, report and exports only show it."""
