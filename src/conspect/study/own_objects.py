"""Models, VLMs and images that a caller holds as objects: whether each is still what had its digest before.

What this project opens carries the embeddings of probes in its digest. An object of the caller's has a digest of the caller's,
which may have stayed while what it computes was mended; so what it makes of probes is kept in the store beside its digest.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Protocol, TypeAlias

import numpy as np

from conspect.adapters.runtimes.probes import SENTENCES, prepared_probes, sketch
from conspect.adapters.store.places import Place
from conspect.core.diagnostics import user_error
from conspect.core.digests import digest_bytes, digest_json
from conspect.core.files import read_content
from conspect.core.foreign_code import calling
from conspect.core.json_value import JsonValue
from conspect.core.protocols import ImageDataset, UnreadableImage, VisionLanguageModel, VisionModel

OWN = "conspect."
# Images of a data set that are looked at, evenly over it.
IMAGES = 8
# Another order of additions may round a projection to the next whole number.
ROUNDED = 1
# What an object makes of probes: rows of whole numbers, or digests and texts.
Signature: TypeAlias = Sequence[Sequence[int]] | Sequence[str]


class _Digested(Protocol):
    @property
    def digest(self) -> str: ...


def confirm_digests(
    place: Place, model: VisionModel, vlm: VisionLanguageModel, datasets: Sequence[ImageDataset]
) -> None:
    """Raises UserError STUDY006 when one of them has a digest that another thing had in this store.

    Writes what it looked at where a digest is new. Raises UserError MODEL002 for an object that does not take the probes,
    OutsideError STORE001 when the store cannot be written.
    """
    if not _is_ours(model):
        probes = prepared_probes(model.prepare, model.name)
        with calling(model.name, "embed", f"{list(probes.shape)} {probes.dtype}"):
            embeddings = np.asarray(model.embed(probes))
        _confirm(
            place, model, model.name, {"probes": sketch(embeddings), "logits": sketch(model.head.logits(embeddings))}
        )
    if not _is_ours(vlm):
        probes = prepared_probes(vlm.prepare, vlm.name)
        with calling(vlm.name, "embed", f"{list(probes.shape)} {probes.dtype}"):
            images = vlm.embed(probes)
        with calling(vlm.name, "embed_texts", f"{len(SENTENCES)} sentences"):
            texts = vlm.embed_texts(SENTENCES)
        _confirm(place, vlm, vlm.name, {"probes": sketch(images), "texts": sketch(texts)})
    for data in datasets:
        if not _is_ours(data):
            _confirm(place, data, f"{data.name} ({data.split})", {"images": _looked_at(data)})


def _is_ours(thing: object) -> bool:
    return type(thing).__module__.startswith(OWN)


def _looked_at(data: ImageDataset) -> list[str]:
    rows = np.unique(np.linspace(0, len(data) - 1, IMAGES if len(data) else 0).astype(int))
    return [
        digest_json([data.class_names, data.ids, np.asarray(data.labels).tolist()]),
        *(_image(data, int(row)) for row in rows),
    ]


def _image(data: ImageDataset, row: int) -> str:
    try:
        pixels = np.asarray(data.image(row))
    except UnreadableImage as error:
        return error.diagnostics[0].problem
    return digest_bytes(str(pixels.shape).encode(), pixels.tobytes())


def _confirm(place: Place, thing: _Digested, name: str, made: Mapping[str, Signature]) -> None:
    file = f"probes-{digest_json([sorted(made), thing.digest])[:32]}.json"
    if not place.has(file):
        place.write(file, json.dumps(made).encode())
        return
    try:
        with place.opened(file) as path:
            before = json.loads(read_content(path))
        same = before.keys() == made.keys() and all(_alike(before[key], made[key]) for key in made)
    except (ValueError, TypeError, AttributeError, KeyError):
        same = False
    if not same:
        digest = str(thing.digest)[:12]
        problem = (
            f"{name} has the digest {digest!r} that another thing had in this store: what it gives is not the same"
        )
        fix = (
            "let `digest` change with all that decides what it gives (weights, code, constants), or use another folder"
        )
        raise user_error("STUDY006", problem, fix)


def _alike(before: JsonValue, now: Signature) -> bool:
    if now and isinstance(now[0], str):
        return before == now
    first, second = np.asarray(before), np.asarray(now)
    return first.shape == second.shape and bool(np.abs(first - second).max(initial=0) <= ROUNDED)
