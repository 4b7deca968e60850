"""Trains the second model of the planted-fault benchmark: a plain convolutional network on rendered scenes.

    python training/train_scene_model.py [--epochs 6] [--images 10000] [--seed 0]

Writes src/conspect/assets/scene_model.safetensors (float16, about 0.3 MB) and training/scene_model.log. About five minutes
on one core; an interrupted training is started again. Test scenes are drawn with another seed and looked at once, at the end.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional

from conspect.faults.scene_model import ASSET, SceneNetwork, prepare
from conspect.faults.scenes import draw, scenes

ROOT = Path(__file__).resolve().parent.parent
LOG = ROOT / "training/scene_model.log"
BATCH, PEAK_RATE, WEIGHT_DECAY, MOMENTUM = 128, 0.1, 5e-4, 0.9
TEST_IMAGES, TEST_SEED = 4000, 1


def drawn(images: int, seed: int) -> tuple[Tensor, Tensor]:
    """Prepared pictures `[image, 3, 32, 32]` and labels `[image]`."""
    found = scenes(images, seed)
    pictures = np.stack([prepare(draw(scene)) for scene in found])
    return torch.from_numpy(pictures), torch.tensor([scene.label for scene in found])


def main() -> None:
    """Trains, logs one JSON line an epoch, ships the weights."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    images, labels = drawn(options.images, options.seed)
    model = SceneNetwork()
    optimizer = torch.optim.SGD(
        model.parameters(), lr=PEAK_RATE, momentum=MOMENTUM, nesterov=True, weight_decay=WEIGHT_DECAY
    )
    per_epoch = len(images) // BATCH
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK_RATE, total_steps=options.epochs * per_epoch)
    lines = []
    for epoch in range(options.epochs):
        start, total = time.monotonic(), 0.0
        model.train()
        for rows in torch.split(torch.randperm(len(images))[: per_epoch * BATCH], BATCH):
            loss = functional.cross_entropy(model(images[rows]), labels[rows])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            total += float(loss.detach())
        lines.append(
            {"epoch": epoch + 1, "loss": round(total / per_epoch, 4), "seconds": round(time.monotonic() - start, 1)}
        )
        print(lines[-1], flush=True)
    model.half().float().eval()  # judge exactly what is shipped
    test_images, test_labels = drawn(TEST_IMAGES, TEST_SEED)
    with torch.inference_mode():
        found = torch.cat([model(batch).argmax(1) for batch in torch.split(test_images, 500)])
    reached = float((found == test_labels).float().mean())
    asset = ROOT / "src/conspect/assets" / ASSET
    weights = {
        name: value.half().contiguous() for name, value in model.state_dict().items() if value.is_floating_point()
    }
    save_file(weights, asset, metadata={"test_accuracy": f"{reached:.4f}", "seed": str(options.seed)})
    summary = {"test_accuracy": reached, "bytes": asset.stat().st_size}
    LOG.write_text("".join(json.dumps(line) + "\n" for line in [*lines, summary]), encoding="utf-8")
    print(summary)


if __name__ == "__main__":
    main()
