"""Adversarial images against the model under study; the door to the Adversarial Robustness Toolbox (ART)."""
