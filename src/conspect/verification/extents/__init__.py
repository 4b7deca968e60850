"""How far a concept may be strengthened or weakened in an image before the output, or a property, changes."""
