"""A model that says with each output whether to believe it: a torch module or an ONNX Runtime session, wrapped.

Imports NumPy and nothing else outside Conspect: torch and ONNX Runtime are whatever the model brings along.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from conspect.core.diagnostics import user_error
from conspect.monitor.runtime.decisions import SUSPECT, Decisions, Reason
from conspect.monitor.runtime.looks import Look
from conspect.monitor.runtime.monitor import Monitor
from conspect.monitor.runtime.parameters import Float32
from conspect.monitor.runtime.replay import COARSE, SAME, TOLERANCE, Ending, Replay, replay_of
from conspect.monitor.runtime.stream import Stream


@dataclass(frozen=True, slots=True)
class Alarm:
    """A suspect input: its place in the batch, the name of its output, the suspicion in nats, and what speaks against it."""

    index: int
    output: str
    suspicion: float
    reasons: tuple[Reason, ...]


OnSuspect: TypeAlias = Callable[[Alarm], object]
# Embeddings, logits, and what the model itself returns.
_Seen: TypeAlias = tuple[NDArray[np.floating], NDArray[np.floating], Any]


class WatchedModel:
    """A model with its monitor: called like the model, it returns what the model returns, and `Decisions`.

    May be called from several threads at once if the model may: `stream` is updated under a lock, in the order in
    which calls finish, and `on_suspect` runs in the calling thread, outside the lock. What `on_suspect` raises gets out.
    """

    def __init__(
        self,
        run: _TorchModule | _OnnxSession,
        monitor: Monitor,
        *,
        on_suspect: OnSuspect | None,
        stream: Stream | None,
        looks: tuple[Look, ...] = (),
    ) -> None:
        self._run, self._looks = run, looks
        self.monitor, self.stream = monitor, stream
        self._on_suspect = on_suspect
        self._lock = threading.Lock()

    def __call__(self, *args: Any, **options: Any) -> tuple[Any, Decisions]:
        """Runs the model on what it is given. Raises UserError MONITOR001 when its embeddings do not fit the monitor."""
        embeddings, logits, returned = self._run(*args, **options)
        first = decisions = self.monitor.check(embeddings, logits)
        if self._looks:
            decisions = self._again(embeddings, logits, args, options)
        if self.stream is not None:
            numerators = self.monitor.numerators(embeddings)
            with self._lock:
                # Drift is measured against what the calibration split showed at the first look.
                self.stream.update(Decisions(first.outputs, first.suspicion, decisions.verdicts), numerators)
        if self._on_suspect is not None:
            for index in np.flatnonzero(decisions.verdicts == SUSPECT).tolist():
                output = int(decisions.outputs[index])
                reasons = tuple(self.monitor.reasons(embeddings[index], output))
                name = self.monitor.class_names[output]
                self._on_suspect(Alarm(index, name, float(decisions.suspicion[index]), reasons))
        return returned, decisions

    def _again(
        self, embeddings: NDArray[np.floating], logits: NDArray[np.floating], args: tuple[Any, ...], options: Any
    ) -> Decisions:
        if len(args) != 1:
            problem = f"a second look at {len(args)} inputs"
            raise user_error("MONITOR001", problem, "call it with one batch of images, or wrap without second_look")
        runs = [self._run(self._run.looked(args[0], look), **options) for look in self._looks]
        every = np.stack([embeddings, *(run[0] for run in runs)], axis=1)
        return self.monitor.check_looks(every, np.stack([logits, *(run[1] for run in runs)], axis=1))


def wrap(
    model: Any,
    monitor: Monitor,
    *,
    head: Any = None,
    embedding: str | None = None,
    logits: str | None = None,
    on_suspect: OnSuspect | None = None,
    stream: Stream | None = None,
    second_look: bool = False,
    same_model: bool = False,
    lens_digest: str | None = None,
) -> WatchedModel:
    """Puts `monitor` behind a torch module or an ONNX Runtime session; what the model returns stays the same.

    A torch module: what enters `head` is the embedding; by default the last linear layer of the monitor's dimensions
    and classes. The first call replays the head and compares; a temperature and a softmax or log_softmax behind it are
    recognised. The module returns logits `[image, class]`, or an object with `logits`. Replicas in other
    threads (DataParallel) are not seen.
    A session: `embedding` and `logits` name outputs; by default the last ones `[image, D]` and `[image, class]`. A graph
    without an embedding among its outputs gets one from `conspect.monitor.export.with_embedding`.
    A monitor that knows its model asks this one for embeddings and logits of two inputs of noise before it is wrapped;
    `same_model` says that you know it to be that model, where it cannot be asked so. `second_look`: every batch of images
    goes through the model again, mirrored and moved a little, and the verdicts are those of the second look. `lens_digest`:
    of the lens that its reasons are to speak of (`results.alignment.lens_digest`).
    Raises UserError MONITOR001 when no head or output fits or there is no second look, MONITOR007 for another model or lens.
    """
    if lens_digest is not None:
        monitor.require_lens(lens_digest)
    looks = monitor.required_second_look().required_looks() if second_look else ()
    if isinstance(model, _TakesHooks):
        run: _TorchModule | _OnnxSession = _TorchModule(
            model, _torch_head(model, monitor) if head is None else head, monitor
        )
    elif isinstance(model, _SaysOutputs):
        run = _OnnxSession(model, monitor, embedding, logits)
    else:
        fix = "wrap a torch module or an onnxruntime.InferenceSession; for another model call monitor.check"
        raise user_error("MONITOR001", f"a model of type {type(model).__name__} to wrap", fix)
    if monitor.identity is not None and not same_model:
        monitor.identity.require_same_outputs(run.outputs)
    return WatchedModel(run, monitor, on_suspect=on_suspect, stream=stream, looks=looks)


class _TorchModule:
    """Catches what enters the head, thread by thread."""

    def __init__(self, model: Any, head: Any, monitor: Monitor) -> None:
        self._model, self._head = model, head
        # What a temperature or a softmax behind the head means is known by comparing with the model of the monitor.
        self._compared = monitor.identity is not None
        self._caught = threading.local()
        self._replay: Replay | None = None
        head.register_forward_pre_hook(self._catch)

    def outputs(self, given: NDArray[np.float32]) -> tuple[Float32, Float32]:
        """Embeddings and logits of inputs as the network takes them."""
        # A parameter makes a tensor of its own type and place, so that torch need not be imported here.
        first = next(iter(self._model.parameters()))
        training = self._model.training
        self._model.train(False)
        try:
            embeddings, logits, _ = self(first.detach().new_tensor(given))
            return embeddings, logits
        finally:
            self._model.train(training)

    def looked(self, images: Any, look: Look) -> Any:
        """The same batch as the look shows it."""
        return look(images)

    def _catch(self, _head: Any, args: tuple[Any, ...]) -> None:
        self._caught.input = args[0] if args else None

    def __call__(self, *args: Any, **options: Any) -> tuple[Float32, Float32, Any]:
        self._caught.input = None
        returned = self._model(*args, **options)
        caught, self._caught.input = self._caught.input, None
        given_out = _array(getattr(returned, "logits", returned))
        if caught is None:
            raise user_error("MONITOR001", "the head was not called", "name the head that makes the logits: head=")
        if self._replay is not None and self._replay.ending is Ending.NONE:
            return _array(caught), given_out, returned
        # `forward` itself, so that no hook runs a second time.
        made = _array(self._head.forward(caught))
        if self._replay is None:
            replay = replay_of(made, given_out, tolerance=COARSE if caught.element_size() < 4 else TOLERANCE)
            self._replay = replay if self._compared or replay == SAME else None
        if self._replay is None:
            problem = "what the head makes of the embedding is not what the model returns"
            raise user_error("MONITOR001", problem, "name the head whose output are the logits: head=")
        return _array(caught), self._replay.logits(made, given_out), returned


@runtime_checkable
class _TakesHooks(Protocol):
    """A torch module; torch itself is not imported here."""

    def register_forward_pre_hook(self, hook: Any) -> Any: ...


@runtime_checkable
class _SaysOutputs(Protocol):
    """An onnxruntime.InferenceSession; the package itself is not imported here."""

    def get_outputs(self) -> Any: ...


class _OnnxSession:
    """Reads embedding and logits off the outputs of a session."""

    def __init__(self, session: Any, monitor: Monitor, embedding: str | None, logits: str | None) -> None:
        self._session = session
        self._inputs = [entry.name for entry in session.get_inputs()]
        outputs = {value.name: list(value.shape) for value in session.get_outputs()}
        folded = monitor.detector.folded
        self._logits = logits or _output(outputs, folded.classes, but=embedding)
        self._embedding = embedding or _output(outputs, folded.weight.shape[1], but=self._logits)
        unknown = {self._logits, self._embedding} - set(outputs)
        if unknown:
            raise user_error("MONITOR001", f"no output {', '.join(sorted(unknown))}", f"outputs: {', '.join(outputs)}")

    def outputs(self, given: NDArray[np.float32]) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
        """Embeddings and logits of inputs as the network takes them."""
        embeddings, logits, _ = self(given)
        return embeddings, logits

    def looked(self, images: Any, look: Look) -> Any:
        """The same batch as the look shows it."""
        return {name: look(array) for name, array in images.items()} if isinstance(images, dict) else look(images)

    def __call__(self, given: Any) -> _Seen:
        feed = given if isinstance(given, dict) else {self._inputs[0]: given}
        embeddings, logits = self._session.run([self._embedding, self._logits], feed)
        return embeddings, logits, logits


def _torch_head(model: Any, monitor: Monitor) -> Any:
    classes, dimension = monitor.detector.folded.classes, monitor.detector.folded.weight.shape[1]
    sizes = (dimension, classes)
    fitting = [
        module
        for module in model.modules()
        if (getattr(module, "in_features", 0), getattr(module, "out_features", 0)) == sizes
    ]
    if not fitting:
        problem = f"no linear layer from {dimension} dimensions to {classes} classes in the model"
        raise user_error("MONITOR001", problem, "name the head: head=; or fit the monitor on this model")
    return fitting[-1]


def _output(outputs: dict[str, list[Any]], width: int, *, but: str | None) -> str:
    fitting = [name for name, shape in outputs.items() if len(shape) == 2 and shape[1] == width and name != but]
    if not fitting:
        problem = f"no output [image, {width}] among {', '.join(f'{name} {shape}' for name, shape in outputs.items())}"
        fix = "name it with embedding= or logits=; conspect.monitor.export.with_embedding adds an embedding to a graph"
        raise user_error("MONITOR001", problem, fix)
    return fitting[-1]


def _array(tensor: Any) -> Float32:
    return np.asarray(tensor.detach().float().cpu().numpy())
