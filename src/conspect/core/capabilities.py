"""What a data set or a model may offer beyond what it must: asked here, once, so that nobody probes for attributes.

A capability is a protocol of its own members alone; an object has it by having them. A new one is added here, with the
function that says what its absence means.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from conspect.core.protocols import (
    DifferentiableModel,
    ImageDataset,
    LayerDeparture,
    LayerMark,
    LayerMoments,
    VisionModel,
)

Metadata = Mapping[str, tuple[str | None, ...]]


@runtime_checkable
class HasConceptLabels(Protocol):
    """A data set that says which concepts its images show."""

    @property
    def concept_names(self) -> tuple[str, ...]:
        """The concepts that are labelled."""

    @property
    def concept_labels(self) -> NDArray[np.float64]:
        """`[image, concept]`: 1 shown, 0 not shown, NaN not known."""


@runtime_checkable
class HasMetadata(Protocol):
    """A data set that says more of its images than their class; slices are made of it."""

    @property
    def metadata(self) -> Metadata:
        """Column to one value per image, in the order of the ids; None where it is not known."""


@runtime_checkable
class HasFiles(Protocol):
    """A data set some of whose images are files of their own."""

    def path(self, index: int) -> Path | None:
        """Where an image's file is; None when it has none."""


@runtime_checkable
class HasOmissions(Protocol):
    """A data set that was found somewhere, where it left something out."""

    @property
    def omissions(self) -> tuple[str, ...]:
        """One sentence for each kind of thing that was left out, with a count and examples."""


@runtime_checkable
class FittedOnClasses(Protocol):
    """A VLM that was fitted on the labels of some classes, and means nothing by the names of others."""

    @property
    def fitted_on_classes(self) -> tuple[str, ...]:
        """The names of those classes."""


@runtime_checkable
class HasPositions(Protocol):
    """A vision model whose embedding may be a mean over positions of the image, so that what is read off it has places."""

    def positions(self, batch: NDArray[np.float32]) -> NDArray[np.float32] | None:
        """`[image, y, x, D]` of prepared images; the mean over y and x is the embedding. None: it is no such mean."""


@runtime_checkable
class HidesPositions(Protocol):
    """A vision model that can never show positions, and says why."""

    @property
    def without_positions(self) -> str:
        """The reason as a clause, and what shows them in its place."""


@runtime_checkable
class _OffersGradients(Protocol):
    def framed(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]: ...
    def differentiable(self) -> Any: ...


@runtime_checkable
class HasRecords(Protocol):
    """A model whose encoder may have recorded statistics of its activations in training, as batch norms do."""

    def departures(self, batches: Iterable[NDArray[np.float32]]) -> tuple[LayerDeparture, ...]:
        """Of each layer with a record on prepared images, in the order in which layers are called; empty: no record."""


@runtime_checkable
class HasMoments(Protocol):
    """A model that shows what its layers give."""

    def moments(self, batches: Iterable[NDArray[np.float32]]) -> tuple[LayerMoments, ...]:
        """Mean and deviation over prepared images and positions, layer by layer."""


@runtime_checkable
class HasMarks(Protocol):
    """A model that shows the numbers in its weights."""

    def marks(self) -> tuple[LayerMark, ...]:
        """What pruning and rounding left in each layer."""


@runtime_checkable
class HasStages(Protocol):
    """A model whose encoder is a torch.nn.Sequential, so that faults can be planted between its stages."""

    @property
    def encoder(self) -> Any:
        """The stages, in evaluation mode."""

    def framed(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The part of an image that the network sees, at its own size."""


@dataclass(frozen=True, eq=False)
class PixelGraph:
    """A model as an ONNX graph: `image [image, y, x, 3]` uint8 RGB to `embedding [image, D]` and `logits [image, class]`.

    `graph`: an onnx.ModelProto. `framed`: what makes an image of any size one that the graph takes, as the model does.
    `tolerance`: how far its values may be from the model's, relative to the largest, by the precision of the model's weights.
    """

    graph: Any
    framed: Callable[[NDArray[np.uint8]], NDArray[np.uint8]]
    tolerance: float = 0.0


@runtime_checkable
class _OffersGraph(Protocol):
    def pixel_graph(self) -> PixelGraph | None: ...


@dataclass(frozen=True, eq=False)
class ConceptLabels:
    """`presence [image, concept]`: 1 shown, 0 not shown, NaN not known; without concepts where nothing is labelled."""

    names: tuple[str, ...]
    presence: NDArray[np.float64]


def concept_labels_of(dataset: ImageDataset) -> ConceptLabels:
    """The concept labels of a data set; of no concept where it labels none."""
    if isinstance(dataset, HasConceptLabels) and dataset.concept_names:
        return ConceptLabels(tuple(dataset.concept_names), np.asarray(dataset.concept_labels, dtype=np.float64))
    return ConceptLabels((), np.zeros((len(dataset), 0)))


def metadata_of(dataset: ImageDataset) -> Metadata:
    """The metadata of a data set; empty where it has none."""
    return dataset.metadata if isinstance(dataset, HasMetadata) else {}


def file_of(dataset: ImageDataset, index: int) -> Path | None:
    """Where the file of an image is; None where it has none of its own."""
    return dataset.path(index) if isinstance(dataset, HasFiles) else None


def omissions_of(dataset: ImageDataset) -> tuple[str, ...]:
    """What the data set left out when it was found; empty where it was made, not found."""
    return tuple(dataset.omissions) if isinstance(dataset, HasOmissions) else ()


def with_gradients(model: VisionModel) -> DifferentiableModel | None:
    """The model where it offers a torch module with gradients; None where it does not."""
    return cast("DifferentiableModel", model) if isinstance(model, _OffersGradients) else None


def graph_of(model: VisionModel) -> PixelGraph | None:
    """The model from pixels on, as a graph; None where it cannot be written as one."""
    return model.pixel_graph() if isinstance(model, _OffersGraph) else None


def records_of(model: object) -> HasRecords | None:
    """The model where its encoder can say what it recorded in training; None where it cannot."""
    return model if isinstance(model, HasRecords) else None


def moments_of(model: VisionModel, batches: Iterable[NDArray[np.float32]]) -> tuple[LayerMoments, ...]:
    """Of each layer on prepared images; empty where the model does not show its layers."""
    return tuple(model.moments(batches)) if isinstance(model, HasMoments) else ()


def marks_of(model: object) -> tuple[LayerMark, ...]:
    """What pruning and rounding left in the weights of each layer; empty where the model does not show them."""
    return tuple(model.marks()) if isinstance(model, HasMarks) else ()
