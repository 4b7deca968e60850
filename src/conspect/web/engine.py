"""One thread that runs the model and the monitor, and a bounded queue before it.

What waits when the thread becomes free goes through the model together, across requests; nothing waits for company. The
thread is the only writer of the stream's state.
"""

from __future__ import annotations

import math
import queue
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from conspect.monitor.runtime import Decisions
from conspect.monitor.runtime.stream import Status
from conspect.study.monitor.serving import Deployment
from conspect.web.failures import Busy

LONGEST_WAIT = 60  # seconds that a client is asked to stay away at most
CLOSE_SECONDS = 10.0  # for the batch that is in the model when the service ends


@dataclass(frozen=True, eq=False)
class CheckedInputs:
    """One request's inputs after the monitor: `embeddings [input, D]`, `finite [input]`: embedding and logits are."""

    decisions: Decisions
    embeddings: NDArray[np.floating]
    finite: NDArray[np.bool_]

    @classmethod
    def joined(cls, parts: Sequence[CheckedInputs]) -> CheckedInputs:
        """The inputs of all parts, one after the other."""
        if len(parts) == 1:
            return parts[0]
        all_of = [part.decisions for part in parts]
        decisions = Decisions(
            np.concatenate([decided.outputs for decided in all_of]),
            np.concatenate([decided.suspicion for decided in all_of]),
            np.concatenate([decided.verdicts for decided in all_of]),
        )
        embeddings = np.concatenate([part.embeddings for part in parts])
        return cls(decisions, embeddings, np.concatenate([part.finite for part in parts]))


@dataclass(frozen=True, eq=False)
class Submission:
    """Inputs of one request: `prepared` images, or `embeddings [input, D]` with their `logits` or, with a model, without."""

    prepared: NDArray[np.float32] | None = None
    embeddings: NDArray[np.floating] | None = None
    logits: NDArray[np.floating] | None = None
    answer: Future[CheckedInputs] = field(default_factory=Future)

    def __len__(self) -> int:
        inputs = self.prepared if self.embeddings is None else self.embeddings
        return 0 if inputs is None else len(inputs)


STOP = Submission()


class Engine:
    """Runs until `close`. `waiting`: inputs admitted and not answered, never more than `capacity`."""

    def __init__(self, deployed: Deployment, *, capacity: int = 1024, batch: int = 64) -> None:
        monitor = deployed.monitor
        self.monitor, self.model, self.looks = monitor, deployed.model, deployed.looks()
        self.capacity, self.batch = capacity, batch
        self.waiting = 0
        self._seconds_an_input = 1e-3
        self._stream, self._lock = monitor.stream(), threading.Lock()
        self._jobs: queue.SimpleQueue[Submission] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="conspect-model", daemon=True)
        self._thread.start()

    @contextmanager
    def admitted(self, inputs: int) -> Iterator[None]:
        """Counts `inputs` as waiting inside the block; for one thread alone. Raises Busy when they do not fit in."""
        if self.waiting + inputs > self.capacity:
            seconds = min(max(math.ceil(self.waiting * self._seconds_an_input), 1), LONGEST_WAIT)
            raise Busy(f"{self.waiting} inputs are waiting and {self.capacity} may", seconds)
        self.waiting += inputs
        try:
            yield
        finally:
            self.waiting -= inputs

    def submit(self, job: Submission) -> Future[CheckedInputs]:
        """Queues a job; its answer comes from the engine's thread."""
        self._jobs.put(job)
        return job.answer

    def status(self) -> Status:
        """Of the stream of all decisions so far."""
        with self._lock:
            return self._stream.status()

    def close(self) -> None:
        """Answers what was submitted, then ends the thread."""
        self._jobs.put(STOP)
        self._thread.join(CLOSE_SECONDS)

    def _run(self) -> None:
        following: Submission | None = None
        while True:
            first = self._jobs.get() if following is None else following
            if first is STOP:
                return
            jobs, following = self._gathered(first)
            live = [job for job in jobs if job.answer.set_running_or_notify_cancel()]
            if live:
                self._answer(live)

    def _gathered(self, first: Submission) -> tuple[list[Submission], Submission | None]:
        """What goes through the model together: at most a batch, unless the first alone is larger; and what did not fit."""
        jobs, total = [first], len(first)
        while True:
            try:
                following = self._jobs.get_nowait()
            except queue.Empty:
                return jobs, None
            if following is STOP or total + len(following) > self.batch:
                return jobs, following
            jobs.append(following)
            total += len(following)

    def _answer(self, jobs: Sequence[Submission]) -> None:
        try:
            results = self._check(jobs)
        except Exception as error:
            if len(jobs) > 1:  # only the request that is at fault shall fail
                for job in jobs:
                    self._answer([job])
                return
            jobs[0].answer.set_exception(error)
            return
        for job, checked in zip(jobs, results, strict=True):
            job.answer.set_result(checked)

    def _check(self, jobs: Sequence[Submission]) -> list[CheckedInputs]:
        start = time.perf_counter()
        # Input from outside may overflow; the monitor calls what is not finite suspect.
        with np.errstate(all="ignore"):
            embeddings, scores, decisions = self._decided(jobs)
            with self._lock:
                self._stream.update(decisions, self.monitor.numerators(embeddings))
            if self.looks:
                decisions = self._decided_again(jobs, embeddings, scores)
        finite = np.isfinite(embeddings).all(1) & np.isfinite(scores).all(1) & np.isfinite(decisions.suspicion)
        ends = np.cumsum([len(job) for job in jobs])
        taken = (time.perf_counter() - start) / int(ends[-1])
        self._seconds_an_input += 0.2 * (taken - self._seconds_an_input)
        spans = [slice(int(end) - len(job), int(end)) for job, end in zip(jobs, ends, strict=True)]
        return [
            CheckedInputs(
                Decisions(decisions.outputs[s], decisions.suspicion[s], decisions.verdicts[s]), embeddings[s], finite[s]
            )
            for s in spans
        ]

    def _decided(self, jobs: Sequence[Submission]) -> tuple[NDArray[np.floating], NDArray[np.floating], Decisions]:
        """Embeddings, logits and decisions of all inputs, by one look at each."""
        pictures = [job.prepared for job in jobs if job.prepared is not None]
        seen = iter(self._embedded(np.concatenate(pictures)) if pictures else ())
        parts = [
            job.embeddings if job.embeddings is not None else np.stack([next(seen) for _ in range(len(job))])
            for job in jobs
        ]
        logits = [self._logits(part, job) for part, job in zip(parts, jobs, strict=True)]
        embeddings, scores = np.concatenate(parts), np.concatenate(logits)
        return embeddings, scores, self.monitor.check(embeddings, scores)

    def _decided_again(
        self, jobs: Sequence[Submission], embeddings: NDArray[np.floating], scores: NDArray[np.floating]
    ) -> Decisions:
        """By several looks. The stream has had the first: drift is measured against what calibration saw at one look."""
        if self.model is None:
            raise RuntimeError("an engine without a model was to look again")
        pictures = np.concatenate([job.prepared for job in jobs if job.prepared is not None])
        again = [self._embedded(np.ascontiguousarray(look(pictures))) for look in self.looks]
        every = np.stack([embeddings, *again], axis=1)
        logits = np.stack([scores, *(self.model.head.logits(part) for part in again)], axis=1)
        return self.monitor.check_looks(every, logits)

    def _embedded(self, prepared: NDArray[np.float32]) -> NDArray[np.float32]:
        if self.model is None:
            raise RuntimeError("images were submitted to an engine without a model")
        starts = range(0, len(prepared), self.batch)
        return np.concatenate([self.model.embed(prepared[k : k + self.batch]) for k in starts])

    def _logits(self, embeddings: NDArray[np.floating], job: Submission) -> NDArray[np.floating]:
        if job.logits is not None:
            return job.logits
        if self.model is None:
            raise RuntimeError("embeddings without logits were submitted to an engine without a model")
        return self.model.head.logits(embeddings)
