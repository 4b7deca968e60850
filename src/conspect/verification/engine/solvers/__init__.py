"""One door per foreign solver, each imported only when used. A foreign status goes through a table; unlisted = unknown."""
