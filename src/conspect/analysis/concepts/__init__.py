"""Whether a concept may be believed: what is measured of each, and the grade that follows."""
