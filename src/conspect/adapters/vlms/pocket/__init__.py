"""The pocket VLM: two pretrained towers joined by a small map of this project."""
