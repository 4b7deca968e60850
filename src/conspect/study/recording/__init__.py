"""From measurements to the records of results.json."""
