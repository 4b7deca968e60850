"""What is kept on disk, keyed by content."""
