"""From text to tree: lexer, parser, the tree of a specification, its builder in Python, and errors with their place."""
