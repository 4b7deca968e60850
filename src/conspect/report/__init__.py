"""Result records to one self-contained page. Recomputes nothing."""
