"""Questions to a finished study, answered from its embeddings: images behind a number, concepts in words, suspect labels."""
