"""From a parsed body to checked inputs: decoding and preprocessing in threads, then the engine."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conspect.core.diagnostics import user_error
from conspect.core.protocols import UnreadableImage, VisionModel
from conspect.study.monitor.serving import received_image
from conspect.web.answers import Asked, answers
from conspect.web.bodies import Body, parse
from conspect.web.engine import CheckedInputs, Engine, Submission
from conspect.web.limits import Limits

# A thread is not worth its while for fewer inputs, or for fewer bytes.
LEAST_SHARE, SMALL_BODY = 8, 16 << 10


class Checking:
    """Threads for what the event loop must not wait for, in front of an engine."""

    def __init__(self, engine: Engine, limits: Limits) -> None:
        self.engine, self.limits = engine, limits
        self._workers = min(os.cpu_count() or 1, 8)
        self._pool = ThreadPoolExecutor(self._workers, thread_name_prefix="conspect-decode")

    async def parsed(self, media_type: str, body: bytes) -> Body:
        """The inputs of a body, of which the monitor can make something. Raises UserError WEB106 to WEB109."""
        if len(body) <= SMALL_BODY:
            found = parse(media_type, body, self.limits)
        else:
            found = await asyncio.get_running_loop().run_in_executor(self._pool, parse, media_type, body, self.limits)
        if found.images is None:
            self._require_fitting(found)
        elif self.engine.model is None:
            problem = "images cannot be checked: this service has a monitor and no model"
            raise user_error("WEB109", problem, "send embeddings and logits, or serve a study")
        return found

    async def checked(self, body: Body) -> CheckedInputs:
        """What the monitor says of the inputs. Raises UserError WEB110 for an image that cannot be read, Busy."""
        with self.engine.admitted(len(body)):
            if body.images is None or self.engine.model is None:
                job = Submission(embeddings=body.embeddings, logits=body.logits)
            else:
                job = Submission(prepared=await self._prepared(self.engine.model, body.images))
            return await asyncio.wrap_future(self.engine.submit(job))

    async def answered(self, checked: CheckedInputs, asked: Asked) -> list[dict[str, Any]]:
        """The fields of `Answer` for each input."""
        if len(checked.finite) < LEAST_SHARE:
            return answers(self.engine.monitor, checked, asked)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, answers, self.engine.monitor, checked, asked)

    def close(self) -> None:
        """Ends the threads and the engine."""
        self._pool.shutdown()
        self.engine.close()

    async def _prepared(self, model: VisionModel, images: Sequence[bytes | NDArray[np.uint8]]) -> NDArray[np.float32]:
        loop = asyncio.get_running_loop()
        share = max(-(-len(images) // self._workers), LEAST_SHARE)
        starts = range(0, len(images), share)
        work = [loop.run_in_executor(self._pool, self._share, model, images[k : k + share], k) for k in starts]
        # All are waited for, so that none works on for a request that has been answered.
        found = await asyncio.gather(*work, return_exceptions=True)
        parts = []
        for part in found:
            if isinstance(part, BaseException):
                raise part
            parts.append(part)
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _share(
        self, model: VisionModel, images: Sequence[bytes | NDArray[np.uint8]], first: int
    ) -> NDArray[np.float32]:
        return np.stack([model.prepare(self._pixels(image, first + k)) for k, image in enumerate(images)])

    def _pixels(self, image: bytes | NDArray[np.uint8], row: int) -> NDArray[np.uint8]:
        if not isinstance(image, bytes):
            return image
        try:
            return received_image(image, f"image {row} (the first is 0)", pixels=self.limits.pixels)
        except UnreadableImage as error:
            problem = error.diagnostics[0].problem
            raise user_error("WEB110", problem, "send JPEG, PNG, WEBP, BMP or GIF within the limit of pixels") from None

    def _require_fitting(self, body: Body) -> None:
        folded = self.engine.monitor.detector.folded
        embeddings, logits = body.embeddings, body.logits
        wanted = f"embeddings [input, {folded.weight.shape[1]}], logits [input, {folded.classes}]"
        if embeddings is None or embeddings.shape[1] != folded.weight.shape[1]:
            shape = None if embeddings is None else list(embeddings.shape)
            raise user_error("WEB109", f"embeddings are {shape}", f"send {wanted}")
        if logits is None and self.engine.model is None:
            raise user_error("WEB109", "there are no logits, and no model to compute them with", f"send {wanted}")
        if logits is not None and logits.shape != (len(embeddings), folded.classes):
            raise user_error("WEB109", f"logits are {list(logits.shape)}", f"send {wanted}")
