"""Small pictures for a page that carries them in itself."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

from conspect.adapters.datasets.views.chained import ChainedImages
from conspect.adapters.datasets.views.changes import ChangedImages
from conspect.adapters.datasets.views.subsets import Subset
from conspect.core.protocols import ImageDataset

SIDE = 192
# Small images keep every pixel; of larger ones a page can afford what JPEG makes of them, about 8 kB.
LOSSLESS_SIDE, QUALITY = 64, 82
# All pictures of a page: about what a mail takes as an attachment.
BUDGET_BYTES = 8_000_000


def thumbnails(dataset: ImageDataset, wanted: Sequence[str], *, budget: int = BUDGET_BYTES) -> dict[str, str]:
    """Data URIs by image id, of at most `SIDE` pixels, in the order of `wanted` until `budget` characters are used.

    Ids that the data set does not know are left out.
    """
    asked = set(wanted)
    # A table of all names would be larger than all else of a large study.
    row_of = {name: row for row, name in enumerate(dataset.ids) if name in asked}
    made: dict[str, str] = {}
    used = 0
    for name in dict.fromkeys(wanted):
        if name in row_of:
            uri = _data_uri(dataset.image(row_of[name]))
            used += len(uri)
            if used > budget:
                break
            made[name] = uri
    return made


def with_changed(dataset: ImageDataset, images: Sequence[str], changes: Sequence[str], *, seed: int) -> ImageDataset:
    """The data set, and behind its images the changed pictures of some of them, such as "test/00012, mirrored"."""
    wanted = set(images)
    rows = np.asarray([row for row, name in enumerate(dataset.ids) if name in wanted], dtype=np.int64)
    if not len(rows):
        return dataset
    return ChainedImages(dataset.name, [dataset, ChangedImages(Subset(dataset, rows), tuple(changes), seed)])


def _data_uri(pixels: np.ndarray) -> str:
    image, out = Image.fromarray(np.ascontiguousarray(pixels)), io.BytesIO()
    lossless = max(image.size) <= LOSSLESS_SIDE
    image.thumbnail((SIDE, SIDE))
    if lossless:
        image.save(out, format="PNG", optimize=True)
    else:
        image.save(out, format="JPEG", quality=QUALITY, optimize=True)
    return f"data:image/{'png' if lossless else 'jpeg'};base64,{base64.b64encode(out.getvalue()).decode()}"
