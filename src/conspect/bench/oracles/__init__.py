"""Independent exact decisions, which share nothing with the verifier and which it is compared with."""
