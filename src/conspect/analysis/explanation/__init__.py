"""Why an image got its output, in concepts that may be believed: contrasts, minimal sets, counterfactuals, groups."""
