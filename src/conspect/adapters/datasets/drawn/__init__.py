"""Images that are made here: inputs of no class."""
