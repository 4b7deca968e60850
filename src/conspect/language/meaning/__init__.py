"""What a specification means: names and types checked, sugar taken away, truth by the reference semantics, exactly."""
