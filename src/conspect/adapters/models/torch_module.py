"""Any `torch.nn.Module` as the model under study: its head is found, and replayed against the model on every batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from conspect.adapters.models.replay import confirm, ending_of, no_head
from conspect.adapters.models.torch_heads import Watched, candidates, find_head, head_of
from conspect.adapters.preprocessing import Preparation, Preprocessing, reading_of, what_was_checked
from conspect.adapters.preprocessing.known_images import known_images
from conspect.adapters.runtimes.torch_runtime import need, torch_runtime
from conspect.adapters.runtimes.weights import digest_network
from conspect.core.capabilities import with_gradients
from conspect.core.diagnostics import user_error
from conspect.core.digests import digest_json
from conspect.core.statements import Statement

if TYPE_CHECKING:
    from torch import nn


NO_ATTACKS = "be attacked: an image of the network's own size is resized and cropped again, or the steps are not known"


class TorchModel:
    """`head . encoder` of a network: the encoder is all that comes before one linear layer. Fulfils `VisionModel`."""

    def __init__(
        self,
        network: nn.Module,
        preparation: Preparation,
        class_names: Sequence[str],
        *,
        name: str,
        head: str | None = None,
        device: str = "cpu",
        precision: str = "fp32",
        library: str | None = None,
    ) -> None:
        """`preparation` turns an image into what `network` takes; `head` names a layer where none is found.

        The network is put into evaluation mode and moved to `device`. Raises UserError MODEL003 when no head replays its
        outputs, MODEL002 when the classes are not as many as its outputs, MODEL004 when device or precision is not there;
        OutsideError MODEL001 without torch.
        """
        need("torch", "MODEL001", "this model", "torch")
        import torch

        self.name, self.class_names = name, tuple(class_names)
        self._runtime = torch_runtime(device, precision)
        self._prepare = preparation
        self._reading = reading_of(preparation)
        self._network = network.eval().to(self._runtime.device)
        exact = torch_runtime(device, "fp32")
        probes = exact.tensor(np.stack([preparation(image) for image in known_images()]))
        with exact.running():
            key = head or find_head(self._network, probes, tolerance=exact.tolerance, name=name)
            layer, self.head = head_of(self._network, key, name=name)
            self._watched = Watched(self._network, layer)
            embeddings, outputs = (part.float().cpu().numpy() for part in self._watched(probes))
        self.embedding_size = int(self.head.layers[0].weight.shape[1])
        if embeddings.shape[1] != self.embedding_size:
            why = f"{key!r} is fed {embeddings.shape[1]} numbers an image, not one vector of {self.embedding_size}"
            raise no_head(name, why, candidates(network))
        ending = ending_of(self.head.logits(embeddings), outputs, exact.tolerance)
        if ending is None:
            why = f"{key!r} applied to its own input does not give the model's output"
            raise no_head(name, why, candidates(network))
        if outputs.shape[1] != len(self.class_names):
            problem = f"{name} has {outputs.shape[1]} outputs and {len(self.class_names)} class names"
            raise user_error("MODEL002", problem, "give one name per output, in order, with `classes`")
        self._ending = ending
        self.preprocessing = preparation.sentence
        self.digest = digest_json(
            [digest_network(network), str(network), preparation.sentence, key, self._runtime.keys]
        )
        self.statement = Statement(
            library or f"torch {torch.__version__}",
            device,
            precision,
            checked=(
                f"the head ({key}) replays the model's {ending} on every batch, to {self._runtime.tolerance:g}",
                *what_was_checked(preparation),
            ),
            cannot=() if with_gradients(self) else (NO_ATTACKS,),
        )

    def prepare(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """`[height, width, 3]` uint8 to what the network takes, float32."""
        return self._prepare(image)

    def embed(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Embeddings `[image, D]` float32: what goes into the head. Raises UserError MODEL003 when it does not replay."""
        with self._runtime.running():
            embeddings, outputs = (part.float().cpu().numpy() for part in self._watched(self._runtime.tensor(batch)))
        confirm(self.head, embeddings, outputs, self._ending, tolerance=self._runtime.tolerance, name=self.name)
        return np.asarray(embeddings, dtype=np.float32)


class AttackableTorchModel(TorchModel):
    """The same with a preprocessing that leaves images of the network's own size as they are. Fulfils `DifferentiableModel`."""

    _reading: Preprocessing

    def framed(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The part of the image that the network sees, at its own size, uint8."""
        return self._reading.framed(image)

    def differentiable(self) -> nn.Module:
        """RGB in 0..1 `[image, 3, y, x]` to embeddings and logits; the weights take no gradients from now on."""
        from conspect.adapters.models.torch_gradients import DifferentiableNetwork

        return DifferentiableNetwork(self._watched, self.head, self._reading)


def torch_model(
    network: nn.Module,
    preparation: Preparation,
    class_names: Sequence[str],
    *,
    name: str = "network",
    head: str | None = None,
    device: str = "cpu",
    precision: str = "fp32",
    library: str | None = None,
) -> TorchModel:
    """A `torch.nn.Module` that you hold, images `[image, 3, y, x]` to logits `[image, class]`, as a vision model.

    One that can be attacked where its preprocessing allows it. `head` names the last linear layer where it cannot be found.
    Raises UserError MODEL003 when no layer replays the model.
    """
    reading = reading_of(preparation)
    kind = AttackableTorchModel if reading is not None and reading.keeps_framed else TorchModel
    return kind(
        network, preparation, class_names, name=name, head=head, device=device, precision=precision, library=library
    )
