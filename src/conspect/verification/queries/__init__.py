"""From a property to what must be decided: formula tables, premises, the states of the negation, plans."""
