"""Data sets: images with ids, labels and a content digest."""
