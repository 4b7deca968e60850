"""How much a client may ask for. Whatever is larger is refused before it costs memory or time."""

from __future__ import annotations

from dataclasses import dataclass

from conspect.core.diagnostics import user_error

# Bodies held at once, in multiples of the largest one.
BODIES_HELD = 8
# Parsing one body takes at most so many times `body_bytes`, whatever is in it. Parsed JSON is the worst: a number of two
# characters becomes an object and its place in a list, 32 bytes; hence only a quarter of the bytes may be JSON.
MEMORY_MULTIPLE, JSON_SHARE = 8, 4


@dataclass(frozen=True, slots=True)
class Limits:
    """`body_bytes` of one request; `inputs` in one request; `pixels` of one image; `queue` inputs accepted and unanswered.

    `batch`: most images that go through the model at once. `seconds`: until a request must have arrived whole, and again
    until its answer must have been read. `connections` open at once. `request_pixels` of all images of one request;
    `decode_seconds` for all of them, after which what decodes is killed.
    """

    body_bytes: int = 16 << 20
    inputs: int = 256
    pixels: int = 25_000_000
    queue: int = 1024
    batch: int = 64
    seconds: float = 30.0
    connections: int = 512
    request_pixels: int = 50_000_000
    decode_seconds: float = 10.0

    @property
    def json_bytes(self) -> int:
        """Longest JSON that is parsed; larger batches of embeddings come as safetensors."""
        return self.body_bytes // JSON_SHARE

    def require_pixels(self, pixels: int) -> None:
        """Raises UserError WEB110 when all images of a request have more than they may."""
        if pixels > self.request_pixels:
            problem = f"the images of one request have {pixels:,} pixels; together at most {self.request_pixels:,}"
            raise user_error("WEB110", problem, "send fewer or smaller images at once")
