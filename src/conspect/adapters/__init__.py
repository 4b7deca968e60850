"""One door per foreign library, imported only when used."""
