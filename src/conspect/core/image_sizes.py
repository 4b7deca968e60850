"""Which sizes of images are refused before anything is made of them."""

from __future__ import annotations

# A picture of 1 x 65,536 has few pixels; one whose shorter edge is to become 224 has 3,288 million of them.
LONGEST_TO_SHORTEST = 1000


def too_large(width: int, height: int, most_pixels: int) -> str | None:
    """Why an image of this size, in pixels, is refused: it has too many, or one edge is far too long; None if it is not."""
    if width * height > most_pixels:
        return f"{width} x {height} pixels are more than {most_pixels:,}"
    if max(width, height) > LONGEST_TO_SHORTEST * min(width, height):
        return f"{width} x {height} pixels: one edge is more than {LONGEST_TO_SHORTEST:,} times as long as the other"
    return None
