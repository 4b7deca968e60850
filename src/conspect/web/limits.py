"""How much a client may ask for. Whatever is larger is refused before it costs memory."""

from __future__ import annotations

from dataclasses import dataclass

# ParseResult JSON takes up to twenty times its text; larger batches of embeddings come as safetensors.
JSON_BYTES = 4 << 20
# Bodies held at once, in multiples of the largest one.
BODIES_HELD = 8


@dataclass(frozen=True, slots=True)
class Limits:
    """`body_bytes` of one request; `inputs` in one request; `pixels` of one image; `queue` inputs accepted and unanswered.

    `batch`: most images that go through the model at once. `seconds`: until a request must have arrived whole.
    `connections` open at once.
    """

    body_bytes: int = 16 << 20
    inputs: int = 256
    pixels: int = 25_000_000
    queue: int = 1024
    batch: int = 64
    seconds: float = 30.0
    connections: int = 512
