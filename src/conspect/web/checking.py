"""From the bytes of a body to checked inputs: parsing, decoding and preprocessing in threads, then the engine.

The event loop does none of it: while it answers one request's bytes, no other request waits for their content.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from conspect.core.diagnostics import user_error
from conspect.core.protocols import VisionModel
from conspect.web.answers import Answer, Asked, answers
from conspect.web.bodies import Body, InputShapes, parse
from conspect.web.bodies.body import Picture
from conspect.web.decoders import SMALL_BYTES, Allowance, Decoders
from conspect.web.engine import CheckedInputs, Engine, Submission
from conspect.web.limits import Limits

# A thread is not worth its while for fewer inputs.
LEAST_SHARE = 8


class RequestChecks:
    """Threads for what the event loop must not wait for, in front of an engine.

    Requests with large files have threads of their own, so that nobody else waits behind their decoding.
    """

    def __init__(self, engine: Engine, limits: Limits) -> None:
        self.engine, self.limits = engine, limits
        folded = engine.monitor.detector.folded
        self._shapes = InputShapes(folded.weight.shape[1], folded.classes)
        self._workers = min(os.cpu_count() or 1, 8)
        self._pool = ThreadPoolExecutor(self._workers, thread_name_prefix="conspect-parse")
        self._large = ThreadPoolExecutor(self._workers, thread_name_prefix="conspect-decode")
        self._decoders = Decoders(limits, self._workers)

    async def parsed(self, media_type: str, body: bytes) -> Body:
        """The inputs of a body, of which the monitor can make something. Raises UserError WEB106 to WEB110."""
        loop = asyncio.get_running_loop()
        read = await loop.run_in_executor(self._pool, parse, media_type, body, self.limits, self._shapes)
        if self.engine.model is None and read.images is not None:
            problem = "images cannot be checked: this service has a monitor and no model"
            raise user_error("WEB109", problem, "send embeddings and logits, or serve a study")
        if self.engine.looks and read.images is None:
            problem = "this service looks at every input again, and an embedding cannot be looked at"
            raise user_error("WEB109", problem, "send images, or serve without --second-look")
        if self.engine.model is None and read.logits is None:
            problem = "there are no logits, and no model to compute them with"
            raise user_error("WEB109", problem, f"send {self._shapes}")
        return read

    async def checked(self, body: Body) -> CheckedInputs:
        """What the monitor says of the inputs. Raises UserError WEB110 for an image that cannot be read, Busy."""
        with self.engine.admitted(len(body)):
            if body.images is None or self.engine.model is None:
                return await self._submitted(Submission(embeddings=body.embeddings, logits=body.logits))
            # As many at once as go through the model together: no request holds more prepared images than that.
            allowance, batch = Allowance(self.limits), self.limits.batch
            parts = [
                await self._submitted(
                    Submission(
                        prepared=await self._prepared(self.engine.model, body.images[k : k + batch], k, allowance)
                    )
                )
                for k in range(0, len(body), batch)
            ]
            return CheckedInputs.joined(parts)

    async def answered(self, checked: CheckedInputs, asked: Asked) -> list[Answer]:
        """The answer for each input."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, answers, self.engine.monitor, checked, asked)

    def close(self) -> None:
        """Ends the threads, what decodes, and the engine."""
        self._decoders.close()
        for pool in (self._pool, self._large):
            pool.shutdown(wait=False, cancel_futures=True)
        self.engine.close()

    async def _submitted(self, submission: Submission) -> CheckedInputs:
        return await asyncio.wrap_future(self.engine.submit(submission))

    async def _prepared(
        self, model: VisionModel, images: Sequence[Picture], first: int, allowance: Allowance
    ) -> NDArray[np.float32]:
        loop = asyncio.get_running_loop()
        large = any(isinstance(image, bytes) and len(image) > SMALL_BYTES for image in images)
        pool = self._large if large else self._pool
        share = max(-(-len(images) // self._workers), 1 if large else LEAST_SHARE)
        work = [
            loop.run_in_executor(pool, self._share, model, images[k : k + share], first + k, allowance)
            for k in range(0, len(images), share)
        ]
        # All are waited for, so that none works on for a request that has been answered.
        parts = []
        for part in await asyncio.gather(*work, return_exceptions=True):
            if isinstance(part, BaseException):
                raise part
            parts.append(part)
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _share(
        self, model: VisionModel, images: Sequence[Picture], first: int, allowance: Allowance
    ) -> NDArray[np.float32]:
        return np.stack(
            [
                model.prepare(self._decoders.decode(image, first + k, allowance) if isinstance(image, bytes) else image)
                for k, image in enumerate(images)
            ]
        )
