"""Two finished studies: what changed between them, and whether a gate lets it pass. Records in, records out."""
