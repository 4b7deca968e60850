"""What a finished study is evidence for: claims with what shows them, and gaps as gaps."""
