"""The command line: parses, calls the study, prints."""
