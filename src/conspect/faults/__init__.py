"""Faults of known origin: planted in sound networks, and what is said of them judged. See docs/faults.md."""
