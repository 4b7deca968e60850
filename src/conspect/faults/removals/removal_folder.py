"""Planted removals in a folder, class by class, so that a long run goes on where it was stopped."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load, save

from conspect.core.diagnostics import outside_error
from conspect.core.files import read_content, write_atomically, writing_to
from conspect.faults.removals.grounds import Ground
from conspect.faults.subjects.scene_model import SceneNetwork
from conspect.faults.subjects.scenes import Kind

# Another number where removals are planted in another way: what an earlier version left is not read.
VERSION = 1


@dataclass(frozen=True, eq=False)
class PlantedRemoval:
    """One removal: `embeddings [image, D]` float32 and `outputs [image]` of the tested pictures, without `concept`."""

    kind: Kind
    concept: int
    embeddings: NDArray[np.float32]
    outputs: NDArray[np.int64]


@dataclass(frozen=True)
class KeptRemovals:
    """What is kept of one ground in `folder`; names of files hold a digest of the ground, so that another's are not read."""

    folder: Path
    ground: Ground

    def network(self) -> SceneNetwork | None:
        """The ground's network. Raises OutsideError BENCH002 for a file that holds none."""
        path = self._path("network.safetensors")
        if not path.is_file():
            return None
        network = SceneNetwork()
        try:
            network.load_state_dict(load(read_content(path)))
        except (OSError, SafetensorError, RuntimeError, ValueError) as error:
            raise _broken(path) from error
        return network.eval()

    def keep_network(self, network: SceneNetwork) -> None:
        """Leaves it for `network`."""
        self._write(
            "network.safetensors", save({name: value.contiguous() for name, value in network.state_dict().items()})
        )

    def planted(self, label: int) -> list[PlantedRemoval] | None:
        """The removals of class `label`. Raises OutsideError BENCH002 for a file that holds none."""
        path = self._path(f"{label}.npz")
        if not path.is_file():
            return None
        try:
            with np.load(BytesIO(read_content(path)), allow_pickle=False) as stored:
                return [
                    PlantedRemoval(about["kind"], about["concept"], stored[f"{k}.embeddings"], stored[f"{k}.outputs"])
                    for k, about in enumerate(json.loads(stored["about"].tobytes()))
                ]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise _broken(path) from error

    def keep(self, label: int, planted: Sequence[PlantedRemoval]) -> None:
        """Leaves them for `planted`."""
        arrays: dict[str, NDArray[np.generic]] = {}
        for k, removal in enumerate(planted):
            arrays |= {f"{k}.embeddings": removal.embeddings, f"{k}.outputs": removal.outputs}
        about = json.dumps([{"kind": removal.kind, "concept": removal.concept} for removal in planted]).encode()
        content = BytesIO()
        np.savez(content, allow_pickle=False, about=np.frombuffer(about, dtype=np.uint8), **arrays)
        self._write(f"{label}.npz", content.getvalue())

    def _path(self, what: str) -> Path:
        about = {"version": VERSION, "classes": self.ground.classes, "seed": self.ground.seed}
        digest = sha256(json.dumps(about).encode()).hexdigest()[:12]
        return self.folder / f"{self.ground.seed}-{digest}-{what}"

    def _write(self, what: str, content: bytes) -> None:
        with writing_to(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            write_atomically(self._path(what), content)


def _broken(path: Path) -> Exception:
    return outside_error(
        "BENCH002", f"{path.name} does not hold what this benchmark left there", "delete it and run again"
    )
