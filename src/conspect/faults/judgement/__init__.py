"""What a diagnosis says of planted faults: asked case by case, kept, and scored."""
