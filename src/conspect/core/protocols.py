"""What a data set, a vision model and a VLM must offer. Adapters fulfil these; analyses know nothing else of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import hypot
from typing import Any, Protocol, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from conspect.core.diagnostics import OutsideError
from conspect.core.spaces import Head

# Called with the name of a stage and how many steps it has; what it returns is called with the number of new ones.
ProgressBar: TypeAlias = Callable[[str, int], Callable[[int], None]]


def silent(_stage: str, _total: int) -> Callable[[int], None]:
    """A progress bar that shows nothing."""
    return lambda steps: None


Progress: TypeAlias = Callable[[int], None]
Task = TypeVar("Task")
Result = TypeVar("Result")


def unseen(_steps: int) -> None:
    """Progress that nobody looks at."""


class Engine(Protocol):
    """Where work is done: in this process, or by workers elsewhere."""

    def map(
        self, function: Callable[[Task, Progress], Result], tasks: Iterable[Task], progress: Progress = unseen
    ) -> Iterator[Result]:
        """`function(task, progress)` of every task, results in the order of the tasks, whichever is ready first.

        What is made of the results in this order does not depend on which worker was quicker. Functions are of a module's
        top level, or `functools.partial` of such; they may run twice, so what they write must be the same each time.
        """


class PairedRows(Protocol):
    """Embeddings of the same images by a model and by a VLM, kept elsewhere and read a part at a time."""

    def __len__(self) -> int: ...

    def read(self, rows: range) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """`[image, D]` and `[image, E]` of consecutive `rows`."""


class UnreadableImage(OutsideError):
    """An image that cannot be decoded. Listed by name in the results; never stops a run."""


class ImageDataset(Protocol):
    """Images with ids, labels and a content digest."""

    @property
    def name(self) -> str:
        """What the data set is called in reports."""

    @property
    def split(self) -> str:
        """Which part of it this is: "train", "test", ..."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """What the labels mean."""

    @property
    def ids(self) -> tuple[str, ...]:
        """One unique id per image, in order."""

    @property
    def labels(self) -> NDArray[np.int64]:
        """Index into `class_names` per image."""

    @property
    def digest(self) -> str:
        """SHA-256 of the content."""

    def __len__(self) -> int: ...

    def image(self, index: int) -> NDArray[np.uint8]:
        """Image `[height, width, 3]` uint8, RGB. Raises UnreadableImage."""


class ImageEncoder(Protocol):
    """The part of a vision model or VLM that turns images into embeddings."""

    @property
    def name(self) -> str:
        """What the model is called in reports."""

    @property
    def digest(self) -> str:
        """SHA-256 of weights and preprocessing: equal digests give equal embeddings."""

    @property
    def preprocessing(self) -> str:
        """One sentence for the report: what happens to an image before the network sees it."""

    @property
    def embedding_size(self) -> int:
        """Number of dimensions of an embedding."""

    def prepare(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Preprocesses one image `[height, width, 3]` uint8; called from several threads at once."""

    def embed(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Embeddings `[image, D]` float32 of a stack of prepared images."""


class VisionModel(ImageEncoder, Protocol):
    """`head . encoder`: the model under study."""

    @property
    def head(self) -> Head:
        """From an embedding to logits."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """What the logits mean, in order."""


class DifferentiableModel(VisionModel, Protocol):
    """A vision model that can be attacked: the gradient of its outputs with respect to the image is at hand."""

    def framed(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The part of `image [height, width, 3]` that the network sees, at the network's own size, uint8 RGB.

        `prepare` only normalises a framed image, so that attacked pixels reach the network as they are.
        """

    def differentiable(self) -> Any:
        """A new torch module: RGB in 0..1 `[image, 3, y, x]` float32 to embeddings `[image, D]` and logits `[image, class]`.

        It normalises, is in evaluation mode, and its weights take no gradients.
        """


@dataclass(frozen=True, slots=True)
class LayerDeparture:
    """How far a layer's activations are from what it recorded in training, as root mean squares over channels, 0 or more.

    `moved`: the difference of means, in recorded deviations; `spread`: the logarithm of the ratio of deviations.
    """

    name: str
    moved: float
    spread: float = 0.0

    @property
    def value(self) -> float:
        """Both together."""
        return hypot(self.moved, self.spread)


@dataclass(frozen=True, slots=True)
class LayerMark:
    """What the numbers of a layer's weights show: the share that is exactly 0, and the share that its 16 commonest values make up
    (next to nothing in trained weights, most of them after rounding to few bits)."""

    name: str
    zeros: float
    repeated: float


@dataclass(frozen=True, eq=False)
class LayerMoments:
    """Mean and deviation of what a layer gives, over images and positions, `[channel]`."""

    name: str
    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]


class VisionLanguageModel(ImageEncoder, Protocol):
    """Images and texts in one space."""

    def embed_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit embeddings `[text, E]` float32."""
