"""A study's rows in the formats of other tools. One module per format, imported only when used."""
