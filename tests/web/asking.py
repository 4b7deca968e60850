"""A service over a small model whose embeddings are known, asked without a network."""

import asyncio
import json
from dataclasses import dataclass, replace
from functools import cache

import httpx
import numpy as np
from PIL import Image

from conspect.bench.monitor import synthetic_monitor
from conspect.core.spaces import Head
from conspect.monitor.runtime import Thresholds
from conspect.study.monitor.serving import Deployment
from conspect.web.app import Service
from conspect.web.limits import Limits

SIDE, DIMENSION = 4, 8


@cache
def monitor():
    """Thresholds such that all three verdicts occur."""
    return replace(synthetic_monitor(dimension=DIMENSION)[0], thresholds=Thresholds(-1.2, -1.0))


@cache
def embeddings():
    return synthetic_monitor(dimension=DIMENSION)[1].embeddings[:64]


class LinearModel:
    """Embeds an image by a linear map of its 4 x 4 pixels, so that every embedding can be computed beside it."""

    name, digest, preprocessing, embedding_size = "linear", "0", "resized", DIMENSION
    _weight = np.random.default_rng(0).normal(scale=4, size=(SIDE * SIDE * 3, DIMENSION)).astype(np.float32)

    def __init__(self) -> None:
        rng = np.random.default_rng(1)
        self.class_names = monitor().class_names
        self.head = Head.linear(rng.normal(size=(len(self.class_names), DIMENSION)), rng.normal(size=10))
        self.batches: list[int] = []

    def prepare(self, image):
        if image.shape[:2] != (SIDE, SIDE):
            image = np.asarray(Image.fromarray(image).resize((SIDE, SIDE)))
        return image.astype(np.float32) / 255 - 0.5

    def embed(self, batch):
        self.batches.append(len(batch))
        return batch.reshape(len(batch), -1) @ self._weight

    def expected(self, images):
        z = self.embed(np.stack([self.prepare(image) for image in images]))
        return z, monitor().check(z, self.head.logits(z))


def images(count: int, seed: int = 0, side: int = SIDE):
    return np.random.default_rng(seed).integers(0, 256, (count, side, side, 3), dtype=np.uint8)


@dataclass
class Asked:
    """A service, what it logged, and its client."""

    service: Service
    lines: list

    def __call__(self, *requests, **request):
        """The answers to several requests sent at once, or to one."""
        several = [*requests] or [request]

        async def ask():
            transport = httpx.ASGITransport(app=self.service.asgi, client=("127.0.0.1", 1))
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
                return await asyncio.gather(
                    *[client.request(**{"method": "POST", "url": "/v1/check", **r}) for r in several]
                )

        answers = asyncio.run(ask())
        return answers if requests else answers[0]


def asking(model=None, **options) -> Asked:
    lines: list = []
    limits = options.pop("limits", Limits())
    watching, looking = options.pop("monitor", monitor()), options.pop("second_look", False)
    made = Service(
        Deployment(watching, model, second_look=looking),
        limits,
        log=lambda event, fields: lines.append((event, fields)),
        **options,
    )
    return Asked(made, lines)


def require_failure(response, status: int, code: str) -> dict:
    """Checks the one shape of errors; what it tells."""
    told = json.loads(response.content, parse_constant=lambda name: 1 / 0)
    assert (response.status_code, told["error"]["code"]) == (status, code), response.text
    assert set(told) == {"error"}
    assert set(told["error"]) == {"code", "problem", "fix", "file", "line", "column"}
    assert all(isinstance(told["error"][key], str) and told["error"][key] for key in ("code", "problem", "fix"))
    assert response.headers["content-type"] == "application/json"
    return told["error"]


def limited(**changes) -> Limits:
    return replace(Limits(), **changes)
