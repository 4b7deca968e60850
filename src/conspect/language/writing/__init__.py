"""From tree to text: the printer, the house layout, and sentences that explain a property in plain words."""
