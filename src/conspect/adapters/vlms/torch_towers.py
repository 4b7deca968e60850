"""A VLM of two torch towers, whichever library they come from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from conspect.adapters.preprocessing import Preparation, preparation_digest, what_was_checked
from conspect.adapters.runtimes.network_digest import network_digest
from conspect.adapters.runtimes.probes import SENTENCES, confirm_function, prepared_probes, sketch
from conspect.adapters.runtimes.torch_runtime import torch_runtime
from conspect.core.digests import digest_json
from conspect.core.foreign_code import calling
from conspect.core.statements import Statement

if TYPE_CHECKING:
    from torch import Tensor, nn

BATCH = 64


@dataclass(frozen=True)
class Towers:
    """What a library offers: a network, and three functions over it.

    `images`: prepared images to features `[image, E]`. `tokens`: texts to what `texts` takes, by name, padded and cut as the
    network was trained. `texts`: tokens to features `[text, E]`. Logits are `scale` x cosine + `bias`.
    """

    network: nn.Module
    images: Callable[[Tensor], Tensor]
    tokens: Callable[[list[str]], dict[str, Tensor]]
    texts: Callable[[dict[str, Tensor]], Tensor]
    scale: float | None
    bias: float = 0.0


class TorchVlm:
    """Fulfils `VisionLanguageModel`. Image embeddings are not normalised; text embeddings are."""

    def __init__(
        self, towers: Towers, preparation: Preparation, *, name: str, library: str, device: str, precision: str
    ) -> None:
        """Raises UserError MODEL004 for a device or precision that is not there."""
        self._runtime, self._towers, self._prepare = torch_runtime(device, precision), towers, preparation
        towers.network.eval().to(self._runtime.device)
        self.name, self.preprocessing = name, preparation.sentence
        self.logit_scale, self.logit_bias = towers.scale, towers.bias
        probes = prepared_probes(self.prepare, name)
        # The tokenizer and what is around the towers are no part of the network: what they make of sentences stands for them.
        with calling(name, "the image tower", f"{list(probes.shape)} {probes.dtype}"):
            self.embedding_size = int(self.embed(probes[:1]).shape[1])
        embeddings = confirm_function(self.embed, probes, name=name, tolerance=self._runtime.tolerance)
        tokens = towers.tokens(list(SENTENCES))
        self.digest = digest_json(
            [
                network_digest(towers.network),
                preparation_digest(preparation),
                self._runtime.keys,
                {key: value.tolist() for key, value in tokens.items()},
                sketch(embeddings),
                sketch(self.embed_texts(SENTENCES)),
            ]
        )
        self.statement = Statement(
            library,
            device,
            precision,
            checked=(
                "all weights loaded, none is left over",
                "probe images have the same embeddings together, again, and alone",
                *what_was_checked(preparation),
            ),
        )

    def prepare(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """`[height, width, 3]` uint8 to what the image tower takes, float32."""
        return self._prepare(image)

    def embed(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Embeddings `[image, E]` float32, not normalised."""
        with self._runtime.running():
            embeddings = self._towers.images(self._runtime.tensor(batch))
            return np.asarray(embeddings.float().cpu().numpy(), dtype=np.float32)

    def embed_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit embeddings `[text, E]` float32; longer texts are cut where the library cuts them."""
        parts: list[NDArray[np.float32]] = [np.zeros((0, self.embedding_size), np.float32)]
        for start in range(0, len(texts), BATCH):
            tokens = self._towers.tokens(list(texts[start : start + BATCH]))
            with self._runtime.running():
                placed: dict[str, Tensor] = {key: value.to(self._runtime.device) for key, value in tokens.items()}
                parts.append(self._towers.texts(placed).float().cpu().numpy())
        embeddings = np.concatenate(parts)
        return np.asarray(embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True), dtype=np.float32)
