"""Any `torch.nn.Module` as the model under study: its head is found, and replayed against the model on every batch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from conspect.adapters.models.replay import A_NAME_EACH, confirm
from conspect.adapters.models.torch_heads import (
    NO_HEAD,
    NOTHING,
    FoundHead,
    find_head,
    named_head,
    outputs_as_two_classes,
    without_head,
)
from conspect.adapters.models.torch_outputs import outputs_of
from conspect.adapters.preprocessing import (
    GreyPreparation,
    Preparation,
    Preprocessing,
    framed_grey,
    preparation_digest,
    reading_of,
    what_was_checked,
)
from conspect.adapters.runtimes.input_form import InputForm, taken_form
from conspect.adapters.runtimes.probes import confirm_function, confirm_logits, noise_like, prepared_probes, sketch
from conspect.adapters.runtimes.torch_runtime import TorchRuntime, need, torch_runtime
from conspect.adapters.sources.classes import distinct
from conspect.adapters.sources.kinds import Precision
from conspect.core.capabilities import PixelGraph
from conspect.core.diagnostics import UserError, user_error
from conspect.core.digests import digest_json
from conspect.core.foreign_code import calling
from conspect.core.protocols import LayerDeparture, LayerMark, LayerMoments
from conspect.core.spaces import Floats
from conspect.core.statements import Statement

if TYPE_CHECKING:
    import torch
    from torch import nn


NO_ATTACKS = "be attacked: an image of the network's own size is resized and cropped again, or the steps are not known"
NO_LAYER = "be attacked or exported with a monitor: its head is no layer of its own"


class TorchModel:
    """`head . encoder` of a network: the encoder is all that comes before its last affine map. Fulfils `VisionModel`."""

    def __init__(
        self,
        network: nn.Module,
        preparation: Preparation,
        class_names: Sequence[str],
        *,
        name: str,
        head: str | None = None,
        output: str | None = None,
        device: str = "cpu",
        precision: Precision = "fp32",
        library: str | None = None,
    ) -> None:
        """`preparation` turns an image into what `network` takes; `head` names a layer where none is found, or is "none" for a
        study of the outputs alone; `output` names a part of what the network returns where that is not clear.

        The network is put into evaluation mode and moved to `device`. Without an affine map that replays the outputs they
        stand for the embeddings, and the statement says so. Raises UserError MODEL003 when the layer called `head` does not
        replay the outputs, MODEL002 when the network does not take the prepared images, is not a function of one image, or
        has not as many outputs as there are classes; MODEL004 when device or precision is not there; OutsideError MODEL001
        without torch.
        """
        need("torch", "MODEL001", "this model", "torch")
        import torch

        from conspect.adapters.runtimes.network_digest import network_digest
        from conspect.adapters.runtimes.torch_form import (
            confirm_nothing_random,
            in_evaluation,
            protect_input,
            readings_of_network,
        )

        self.name, self.class_names = name, distinct(tuple(class_names), name)
        self._runtime = torch_runtime(device, precision)
        exact = torch_runtime(device, "fp32")
        network = in_evaluation(network, name).to(self._runtime.device)
        self._network, self._output, self._pairs = network, output, False
        self._colour = preparation
        with exact.running():
            self._take(taken_form(readings_of_network(network), self._tried, name))
        self._reading = reading_of(preparation)
        probes = prepared_probes(self._prepare, name)
        tolerance = max(exact.tolerance, self._form.tolerance)
        self.tolerance = max(self._runtime.tolerance, self._form.tolerance)
        with exact.running():
            with self._calling(probes):
                given = self._tensor(exact, probes)
                protect_input(network, given.clone())
                returned = network(given)
                self._pairs = not self._keeps_rows(network(given[:1]), given[:1])
            self._outputs(returned, len(given))
            cut = self._cut(head, given, tolerance)
        self.head, self._ending, self._watched = cut.head, cut.ending, cut.watched
        self.embedding_size = int(self.head.layers[0].weight.shape[1])
        if cut.key == NOTHING:
            made = np.concatenate([self._returned(probes), self._extremes(probes)])
            confirm_logits(made, name, pictures=head == NOTHING)
        self._require_a_name_each(probes)
        self.preprocessing = self._prepare.sentence
        with confirm_nothing_random(name):
            self._returned(probes)
        embeddings = self._confirmed(probes)
        described = [network_digest(network), preparation_digest(self._prepare), cut.key, output, self._runtime.keys]
        self.digest = digest_json([*described, sketch(embeddings)])
        self.statement = self._statement(cut.key, library or f"torch {torch.__version__}", device, precision)

    def _statement(self, key: str, library: str, device: str, precision: Precision) -> Statement:
        return Statement(
            library,
            device,
            precision if self._form.type == "float32" else f"{precision}, input {self._form.type}",
            checked=(*self._checked(key), *what_was_checked(self._colour)),
            cannot=(*([NO_HEAD] if key == NOTHING else []), *self._no_attacks()),
        )

    def _cut(self, head: str | None, given: torch.Tensor, tolerance: float) -> FoundHead:
        """Where the network is cut in two: at the layer called `head`, at the last affine map, or nowhere."""
        if head == NOTHING:
            return without_head(self._network, given, self._outputs)
        if head is not None:
            return named_head(self._network, head, given, self._outputs, tolerance=tolerance, name=self.name)
        found = find_head(self._network, given, self._outputs, tolerance=tolerance)
        return found or without_head(self._network, given, self._outputs)

    def _require_a_name_each(self, probes: NDArray[np.float32]) -> None:
        if self.head.classes == len(self.class_names):
            return
        number = self._returned(probes).shape[1]
        count = "1 output, which speaks for 2 classes," if number == 1 else f"{number} outputs"
        named = "1 class name" if len(self.class_names) == 1 else f"{len(self.class_names)} class names"
        problem = f"{self.name} has {count} and {named}"
        raise user_error("MODEL002", problem, A_NAME_EACH)

    def _take(self, form: InputForm) -> None:
        self._form = form
        self._prepare = GreyPreparation(self._colour) if form.grey else self._colour

    def _tried(self, form: InputForm) -> Floats:
        """The network's outputs for probes in a form. Raises DoesNotTake."""
        self._take(form)
        probes = prepared_probes(self._prepare, self.name)
        with self._calling(probes):
            returned = self._network(self._tensor(self._runtime, probes))
        return np.asarray(self._outputs(returned, len(probes)).float().cpu().numpy())

    def _confirmed(self, probes: NDArray[np.float32]) -> Floats:
        """The embeddings of probes. What is no function of one image is told as that, also where it shows in the head alone."""
        try:
            return confirm_function(self.embed, probes, name=self.name, tolerance=self.tolerance)
        except UserError as error:
            if error.diagnostics[0].code == "MODEL003":
                confirm_function(self._returned, probes, name=self.name, tolerance=self.tolerance)
            raise

    def _returned(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """What the network itself gives, `[image, class]`."""
        given = np.repeat(batch, 2, axis=0) if self._pairs and len(batch) == 1 else batch
        with self._runtime.running(), self._calling(given):
            outputs = self._outputs(self._network(self._tensor(self._runtime, given)), len(given))
        return np.asarray(outputs.float().cpu().numpy()[: len(batch)])

    def _extremes(self, probes: NDArray[np.float32]) -> NDArray[np.float32]:
        """What the network gives for noise of four sizes, some of which has another order of the classes than pictures."""
        if self._form.takes_bytes or probes.ndim != 4:
            return self._returned(probes)
        given = [self._returned(noise) for noise in noise_like(probes)]
        return np.concatenate([rows[np.isfinite(rows).all(axis=1)] for rows in given])

    def _checked(self, key: str) -> list[str]:
        sentences = [f"the head ({key}) replays the model's {self._ending} on every batch, to {self.tolerance:g}"]
        return [
            *(sentences if key != NOTHING else []),
            "probe images have the same embeddings together, again, and alone",
            *(["it takes one channel, and is given grey images"] if self._form.grey else []),
            *([self._form.tried] if self._form.tried else []),
            *(
                ["one image is computed as two, since the network loses the axis of a batch of one"]
                if self._pairs
                else []
            ),
        ]

    def _no_attacks(self) -> list[str]:
        from conspect.adapters.models.torch_watch import WatchedLayer

        if not isinstance(self._watched, WatchedLayer):
            return [NO_LAYER]
        return [] if self.attackable else [NO_ATTACKS]

    @property
    def attackable(self) -> bool:
        """Whether the network itself, with its preprocessing, can be differentiated with respect to an image's pixels."""
        from conspect.adapters.models.torch_watch import WatchedLayer

        framed = self._reading is not None and self._reading.keeps_framed
        form = self._form
        usual = form.type == "float32" and not (form.channels_last or form.grey or self._pairs)
        return framed and usual and isinstance(self._watched, WatchedLayer)

    def _outputs(self, returned: Any, rows: int) -> torch.Tensor:
        return outputs_of(returned, rows, classes=len(self.class_names), output=self._output)

    def _keeps_rows(self, returned: Any, images: torch.Tensor) -> bool:
        try:
            self._outputs(returned, len(images))
        except UserError:
            return False
        return True

    def _tensor(self, runtime: TorchRuntime, batch: NDArray[np.float32]) -> torch.Tensor:
        import torch

        fed = runtime.tensor(self._form.fed(batch, self.name))
        return fed.to(getattr(torch, self._form.type)) if fed.dtype.is_floating_point else fed

    def _calling(self, batch: NDArray[np.float32]) -> AbstractContextManager[None]:
        return calling(self.name, "the network", f"{list(batch.shape)} {batch.dtype}", self._form.wanted)

    def prepare(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """`[height, width, 3]` uint8 to what the network takes, float32."""
        return self._prepare(image)

    def departures(self, batches: Iterable[NDArray[np.float32]]) -> tuple[LayerDeparture, ...]:
        """How far batch norms are from their records on prepared images; see `norm_records.layer_departures`."""
        from conspect.adapters.models.norm_records import layer_departures

        with self._runtime.running():
            return layer_departures(self._network, (self._tensor(self._runtime, batch) for batch in batches))

    def moments(self, batches: Iterable[NDArray[np.float32]]) -> tuple[LayerMoments, ...]:
        """What every layer gives on prepared images; see `layer_moments.module_moments`."""
        from conspect.adapters.models.layer_moments import module_moments

        with self._runtime.running():
            return module_moments(self._network, (self._tensor(self._runtime, batch) for batch in batches))

    def marks(self) -> tuple[LayerMark, ...]:
        """What pruning and rounding left in the weights; see `weight_marks.layer_marks`."""
        from conspect.adapters.models.weight_marks import layer_marks, module_weights

        return layer_marks(module_weights(self._network))

    def pixel_graph(self) -> PixelGraph | None:
        """The network as an ONNX graph from pixels on, in single precision where ONNX Runtime has not its own; None where its
        preprocessing is a library's own or gives images of no fixed size.
        """
        from conspect.adapters.models.onnx_graph import traced
        from conspect.adapters.models.torch_gradients import DifferentiableNetwork
        from conspect.adapters.models.torch_watch import TracedProduct, WatchedProduct

        reading, watched = self._reading, self._watched
        if reading is None or reading.side is None:
            return None
        if isinstance(watched, WatchedProduct):
            with self._runtime.running():
                watched = TracedProduct(watched, self._tensor(self._runtime, prepared_probes(self._prepare, self.name)))
        network = DifferentiableNetwork(watched, self.head, reading, self._form)
        graph = traced(network, reading.side, self.name, grey=self._form.grey)
        framed = framed_grey(reading) if self._form.grey else reading.framed
        return PixelGraph(graph, framed, self._form.tolerance)

    def embed(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Embeddings `[image, D]` float32: what goes into the head.

        Raises UserError MODEL003 when the head does not replay, MODEL002 when the network does not take the batch.
        """
        rows = len(batch)
        given = np.repeat(batch, 2, axis=0) if self._pairs and rows == 1 else batch
        with self._runtime.running(), self._calling(given):
            parts = self._watched(self._tensor(self._runtime, given))
        embeddings, outputs = (part.float().cpu().numpy()[:rows] for part in parts)
        ending = self._ending
        if outputs.shape[1] == 1:
            outputs, ending = outputs_as_two_classes(outputs, ending)
        confirm(self.head, embeddings, outputs, ending, tolerance=self.tolerance, name=self.name)
        return np.asarray(embeddings, dtype=np.float32)

    def positions(self, batch: NDArray[np.float32]) -> NDArray[np.float32] | None:
        """`[image, y, x, D]` float32, whose mean is the embedding; None where the network averages no positions."""
        from conspect.adapters.models.torch_positions import averaged_positions

        given = np.repeat(batch, 2, axis=0) if self._pairs and len(batch) == 1 else batch
        with self._runtime.running(), self._calling(given):
            tensor = self._tensor(self._runtime, given)
            positions = averaged_positions(lambda: self._watched(tensor)[0])
        return None if positions is None else np.asarray(positions.cpu().numpy()[: len(batch)], dtype=np.float32)


class AttackableTorchModel(TorchModel):
    """The same with a preprocessing that leaves images of the network's own size as they are. Fulfils `DifferentiableModel`."""

    _reading: Preprocessing

    def __init__(self, opened: TorchModel) -> None:
        self.__dict__.update(opened.__dict__)

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
    output: str | None = None,
    device: str = "cpu",
    precision: Precision = "fp32",
    library: str | None = None,
) -> TorchModel:
    """A `torch.nn.Module` that you hold, images `[image, 3, y, x]` to logits `[image, class]`, as a vision model.

    One that can be attacked where its preprocessing allows it. `head` names the last linear layer where it cannot be found,
    `output` the part of a tuple or dictionary that holds the logits. Raises the errors of `TorchModel`.
    """
    opened = TorchModel(
        network,
        preparation,
        class_names,
        name=name,
        head=head,
        output=output,
        device=device,
        precision=precision,
        library=library,
    )
    return AttackableTorchModel(opened) if opened.attackable else opened
