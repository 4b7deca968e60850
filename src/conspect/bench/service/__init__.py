"""The monitor's service in a process of its own, and clients of it: good, many, and hostile."""
