"""From a checked formula to a verdict that somebody else can check."""
