"""From a study to its diagnosis: what only the model and its images can say, gathered for `analysis.diagnosis`."""
