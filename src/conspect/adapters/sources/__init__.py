"""What a user names (a model, a VLM), how it is opened, and what is confirmed of it."""
