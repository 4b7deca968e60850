"""Text embeddings kept on disk, keyed by VLM and texts, so that a warm run loads no text tower."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from conspect.adapters.store.places import Place, Store
from conspect.core.diagnostics import outside_error
from conspect.core.digests import digest_arrays, digest_json
from conspect.core.protocols import VisionLanguageModel


def cached_text_encoder(vlm: VisionLanguageModel, store: Path | Store) -> Callable[[list[str]], NDArray[np.float32]]:
    """`vlm.embed_texts` with results kept in `store`/texts-<key>.safetensors.

    The returned function raises OutsideError STORE001 when the store cannot be written, STORE002 when a file is damaged.
    """
    place = Store.at(store).place

    def encode(texts: list[str]) -> NDArray[np.float32]:
        name = f"texts-{digest_json([vlm.digest, texts])[:32]}.safetensors"
        if place.has(name):
            return _read(place, name, len(texts))
        embeddings = np.asarray(vlm.embed_texts(texts), dtype=np.float32)
        whole = np.ascontiguousarray(embeddings)
        place.write(name, save({"texts": whole}, {"sha256": digest_arrays({"": whole})}))
        return embeddings

    return encode


def _read(place: Place, name: str, texts: int) -> NDArray[np.float32]:
    try:
        with place.opened(name) as path, safe_open(path, framework="numpy") as stored:
            values: NDArray[np.float32] = stored.get_tensor("texts")
            declared = (stored.metadata() or {}).get("sha256")
        if values.ndim != 2 or len(values) != texts or not np.isfinite(values).all():
            raise ValueError(f"shape {values.shape} for {texts} texts, or values that are not finite")
        # Files of earlier versions have no digest; a text embedding has length 1 in any case.
        lengths = np.linalg.norm(values, axis=1)
        if (declared or digest_arrays({"": values})) != digest_arrays({"": values}) or (texts and lengths.min() < 0.5):
            raise ValueError("its values are not those that were written")
    except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        fix = f"delete {name} and run again; it is computed anew"
        raise outside_error("STORE002", f"{place}/{name} is damaged: {error}", fix) from error
    return values
