"""Adversarial images as a data set, made once and kept on disk chunk by chunk."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from conspect.adapters.attacks.attack import Attack
from conspect.adapters.attacks.search import Adversarial, Attacker
from conspect.adapters.attacks.suspicion import Suspicion
from conspect.adapters.datasets.views.derived import DerivedImages
from conspect.core.diagnostics import outside_error
from conspect.core.digests import digest_json
from conspect.core.files import remove_leftovers, write_atomically, writing_to
from conspect.core.protocols import DifferentiableModel, ImageDataset, ProgressBar, silent

FORMAT, CHUNK = 1, 50


@dataclass(frozen=True, eq=False)
class AttackedImages(DerivedImages):
    """The rows `rows` of `whole` under `attack`, at the model's own size; fulfils `ImageDataset`.

    `digest` is that of the recipe (model, data, rows, attack, monitor), so it is known before the attack has run.
    `succeeded [image]`: the model's output on the rounded image is wrong.
    """

    rows: NDArray[np.int64]
    attack: Attack
    digest: str
    found: Adversarial

    @property
    def name(self) -> str:
        """The whole data set's name and the attack's."""
        return f"{self.whole.name} under {self.attack.name}"

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """The original's id and the attack, such as "test/00012 under PGD-20 at 8/255"."""
        return tuple(f"{self.whole.ids[row]} under {self.attack.name}" for row in self.rows)

    @cached_property
    def labels(self) -> NDArray[np.int64]:
        """Labels of the originals."""
        return self.whole.labels[self.rows]

    @property
    def succeeded(self) -> NDArray[np.bool_]:
        """Whether the model's output is wrong `[image]`."""
        return self.found.succeeded

    def image(self, index: int) -> NDArray[np.uint8]:
        """Adversarial image `[y, x, 3]` uint8, RGB, at the model's size."""
        return np.asarray(self.found.images[index])


def attacked(
    model: DifferentiableModel,
    dataset: ImageDataset,
    rows: NDArray[np.integer],
    attack: Attack,
    folder: Path,
    *,
    suspicion: Suspicion | None = None,
    bar: ProgressBar = silent,
) -> AttackedImages:
    """Attacks the images `rows`, which the model should get right; what lies in `folder` from an earlier call is not made again.

    `suspicion`: the monitor that an adaptive attack knows. Raises: OutsideError ATTACK001 without ART or torch (not when
    all is on disk), STORE001 when the folder cannot be written, STORE002 when a stored chunk is damaged; UnreadableImage.
    """
    chosen: NDArray[np.int64] = np.asarray(rows, dtype=np.int64)
    knows = suspicion.digest if suspicion is not None and attack.kind == "adaptive PGD" else None
    recipe = [FORMAT, CHUNK, model.digest, dataset.digest, chosen.tolist(), attack.to_json(), knows]
    digest = digest_json(recipe)
    order = np.asarray([model.class_names.index(name) for name in dataset.class_names], dtype=np.int64)
    labels = order[dataset.labels[chosen]]
    below = folder / digest[:32]
    parts: list[Adversarial] = []
    attacker: Attacker | None = None
    advance = bar(attack.name, len(chosen))
    with writing_to(below, "adversarial images"):
        remove_leftovers(below)
    for start in range(0, len(chosen), CHUNK):
        chunk = chosen[start : start + CHUNK]
        path = below / f"{start:06d}-{start + len(chunk):06d}.safetensors"
        if path.is_file():
            parts.append(_read(path, len(chunk)))
        else:
            attacker = attacker or Attacker(model, attack, suspicion=suspicion)
            images = np.stack([model.framed(dataset.image(int(row))) for row in chunk])
            parts.append(attacker.run(images, labels[start : start + CHUNK], seed=start))
            _write(path, parts[-1])
        advance(len(chunk))
    images = np.concatenate([part.images for part in parts]) if parts else np.zeros((0, 1, 1, 3), np.uint8)
    succeeded = np.concatenate([part.succeeded for part in parts]) if parts else np.zeros(0, np.bool_)
    return AttackedImages(dataset, chosen, attack, digest, Adversarial(images, succeeded))


def _write(path: Path, part: Adversarial) -> None:
    arrays = {"images": np.ascontiguousarray(part.images), "succeeded": part.succeeded.astype(np.uint8)}
    with writing_to(path.parent, "adversarial images"):
        write_atomically(path, save(arrays))


def _read(path: Path, images: int) -> Adversarial:
    try:
        arrays = load(path.read_bytes())
        pixels, succeeded = arrays["images"], arrays["succeeded"]
        if pixels.dtype != np.uint8 or pixels.ndim != 4 or len(pixels) != images or pixels.shape[3] != 3:
            raise ValueError(f"images are {pixels.dtype} {pixels.shape}, expected {images} of uint8")
        if succeeded.dtype != np.uint8 or succeeded.shape != (images,):
            raise ValueError(f"successes are {succeeded.dtype} {succeeded.shape}")
    except (SafetensorError, ValueError, KeyError) as error:
        raise outside_error(
            "STORE002", f"{path} is damaged: {error}", f"delete {path.name} and run again; it is computed anew"
        ) from error
    return Adversarial(pixels, succeeded.astype(np.bool_))
