"""The faults: kinds of them, in the order in which they were written, their strengths, and the cases that they make."""
