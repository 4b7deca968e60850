"""What watches a deployed model."""
