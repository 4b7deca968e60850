"""Training of the small network on rendered scenes: the one that ships, and those that removals are judged on."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from conspect.faults.subjects.scene_model import SceneNetwork

BATCH, PEAK_RATE, WEIGHT_DECAY, MOMENTUM = 128, 0.1, 5e-4, 0.9


def trained_network(
    images: Tensor, labels: Tensor, seed: int, epochs: int, log: Callable[[dict[str, float]], None] = lambda line: None
) -> SceneNetwork:
    """From prepared pictures `[image, 3, 32, 32]` and labels `[image]`; `log` takes a record an epoch."""
    torch.manual_seed(seed)
    model = SceneNetwork()
    optimizer = torch.optim.SGD(
        model.parameters(), lr=PEAK_RATE, momentum=MOMENTUM, nesterov=True, weight_decay=WEIGHT_DECAY
    )
    per_epoch = len(images) // BATCH
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK_RATE, total_steps=epochs * per_epoch)
    for epoch in range(epochs):
        start, total = time.monotonic(), 0.0
        model.train()
        for rows in torch.split(torch.randperm(len(images))[: per_epoch * BATCH], BATCH):
            loss = functional.cross_entropy(model(images[rows]), labels[rows])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            total += float(loss.detach())
        log(
            {
                "epoch": epoch + 1,
                "loss": round(total / per_epoch, 4),
                "seconds": round(time.monotonic() - start, 1),
            }
        )
    return model.eval()
