"""Con_spec in an editor: a language server, and what it says of a text."""
