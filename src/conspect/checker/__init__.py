"""An independent check of certificates. `check.py` needs nothing but the standard library and stands on its own."""
