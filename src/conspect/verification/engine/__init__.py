"""From queries to verdicts: floats propose (batch, barrier, solvers), integers and fractions decide."""
