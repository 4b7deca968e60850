"""Trains the demo's vision model: a small residual network on CIFAR-10's training split.

    python training/train_vision_model.py [--epochs 24] [--seed 0] [--cifar10 DIR]

Writes src/conspect/assets/vision_model.safetensors (float16, about 2.5 MB) and training/vision_model.log. Resumes from
training/kept/ after a kill: every epoch draws its randomness from (seed, epoch) alone, and a checkpoint holds weights
and momentum. The test split is looked at once, at the end.
The log's times were taken on two shared cores, with one interruption; free, an epoch takes about 70 s there.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import platformdirs
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from conspect.adapters.datasets import cifar10
from conspect.adapters.datasets.arrays import ArrayDataset
from conspect.adapters.models.resnet import STAGE_WIDTHS, SmallResNet

ROOT = Path(__file__).resolve().parent.parent
ASSET = ROOT / "src/conspect/assets/vision_model.safetensors"
LOG = ROOT / "training/vision_model.log"
CHECKPOINT = ROOT / "training/kept/vision_model.safetensors"
# Channel means and deviations of CIFAR-10's training split, in units of 0..255.
MEAN = (125.307, 122.950, 113.865)
STD = (62.993, 62.089, 66.705)
BATCH, PEAK_RATE, WEIGHT_DECAY, MOMENTUM, CUTOUT, PADDING = 256, 0.3, 5e-4, 0.9, 8, 4


def normalised(dataset: ArrayDataset) -> tuple[Tensor, Tensor]:
    """Images `[image, 3, 32, 32]` float32 and labels `[image]` int64."""
    pixels = torch.from_numpy(dataset.pixels).float()
    images = ((pixels - torch.tensor(MEAN)) / torch.tensor(STD)).permute(0, 3, 1, 2).contiguous()
    return images, torch.from_numpy(dataset.labels)


def augmented_batches(images: Tensor, labels: Tensor, seed: int, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Shuffled batches with random crops (4 pixels of padding), flips and an 8 x 8 hole."""
    rng = np.random.default_rng([seed, epoch])
    order = rng.permutation(len(images))
    padded = functional.pad(images, (PADDING,) * 4, mode="reflect")
    for start in range(0, len(order) - BATCH + 1, BATCH):
        rows = torch.from_numpy(order[start : start + BATCH])
        dy, dx, cy, cx = (torch.from_numpy(rng.integers(0, high, BATCH)) for high in (9, 9, 32, 32))
        span = torch.arange(32)
        ys, xs = dy[:, None] + span, dx[:, None] + span
        xs = torch.where(torch.from_numpy(rng.random(BATCH) < 0.5)[:, None], xs.flip(1), xs)
        batch = padded[rows[:, None, None], :, ys[:, :, None], xs[:, None, :]].permute(0, 3, 1, 2)
        hole = ((span - cy[:, None]).abs() < CUTOUT // 2)[:, :, None] & ((span - cx[:, None]).abs() < CUTOUT // 2)[
            :, None
        ]
        batch = batch.masked_fill(hole[:, None], 0.0)
        yield batch.contiguous(memory_format=torch.channels_last), labels[rows]


def rate_at(step: int, steps: int) -> float:
    """One-cycle learning rate: linear rise over the first fifth, linear fall to zero."""
    rise = 0.2 * steps
    return PEAK_RATE * (step / rise if step < rise else max(0.0, (steps - step) / (steps - rise)))


def save_checkpoint(model: nn.Module, optimizer: torch.optim.SGD, epoch: int) -> None:
    """Writes weights and momentum beside the checkpoint, then renames: a kill leaves the old one or the new one."""
    tensors = {f"model.{name}": value.contiguous() for name, value in model.state_dict().items()}
    for index, parameter in enumerate(model.parameters()):
        tensors[f"momentum.{index}"] = optimizer.state[parameter]["momentum_buffer"].contiguous()
    CHECKPOINT.parent.mkdir(parents=True, exist_ok=True)
    temporary = CHECKPOINT.with_suffix(".tmp")
    save_file(tensors, temporary, metadata={"epoch": str(epoch)})
    os.replace(temporary, CHECKPOINT)


def load_checkpoint(model: nn.Module, optimizer: torch.optim.SGD) -> int:
    """Restores weights and momentum; returns the number of epochs already done (0 without a checkpoint)."""
    if not CHECKPOINT.is_file():
        return 0
    with safe_open(CHECKPOINT, framework="pt") as stored:
        names = [name for name in stored.keys() if name.startswith("model.")]  # noqa: SIM118
        model.load_state_dict({name.removeprefix("model."): stored.get_tensor(name) for name in names})
        for index, parameter in enumerate(model.parameters()):
            optimizer.state[parameter]["momentum_buffer"] = stored.get_tensor(f"momentum.{index}")
        return int(stored.metadata()["epoch"])


@torch.inference_mode()
def accuracy(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Share of images whose largest logit is the label's."""
    model.eval()
    batches = zip(torch.split(images, 500), torch.split(labels, 500), strict=True)
    hits = sum((int((model(x).argmax(1) == y).sum()) for x, y in batches), start=0)
    return hits / len(labels)


def main() -> None:
    """Trains, logs one JSON line an epoch, ships the weights."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=24)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cifar10", type=Path)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    cache = Path(platformdirs.user_cache_dir("conspect"))
    images, labels = normalised(cifar10.load("train", directory=options.cifar10, cache=cache))
    model = SmallResNet(classes=10)
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.SGD(
        model.parameters(), lr=PEAK_RATE, momentum=MOMENTUM, nesterov=True, weight_decay=WEIGHT_DECAY
    )
    first = load_checkpoint(model, optimizer)
    steps_per_epoch = len(images) // BATCH
    for epoch in range(first, options.epochs):
        start, total = time.monotonic(), 0.0
        model.train()
        for step, (x, y) in enumerate(augmented_batches(images, labels, options.seed, epoch)):
            optimizer.param_groups[0]["lr"] = rate_at(
                epoch * steps_per_epoch + step + 1, options.epochs * steps_per_epoch
            )
            with torch.autocast("cpu", torch.bfloat16):
                loss = functional.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            total += float(loss.detach())
        save_checkpoint(model, optimizer, epoch + 1)
        row = {
            "epoch": epoch + 1,
            "loss": round(total / steps_per_epoch, 4),
            "seconds": round(time.monotonic() - start, 1),
        }
        with LOG.open("a") as log:
            log.write(json.dumps(row) + "\n")
        print(row, flush=True)
    model.half().float()  # judge exactly what is shipped
    test_images, test_labels = normalised(cifar10.load("test", directory=options.cifar10, cache=cache))
    reached = accuracy(model, test_images, test_labels)
    meta = {
        "architecture": "SmallResNet",
        "classes": json.dumps(cifar10.CLASS_NAMES),
        "stage_widths": json.dumps(STAGE_WIDTHS),
        "mean": json.dumps(MEAN),
        "std": json.dumps(STD),
        "test_accuracy": f"{reached:.4f}",
        "seed": str(options.seed),
    }
    weights = {
        name: value.half().contiguous() for name, value in model.state_dict().items() if value.is_floating_point()
    }
    save_file(weights, ASSET, metadata=meta)
    with LOG.open("a") as log:
        log.write(json.dumps({"test_accuracy": reached, "bytes": ASSET.stat().st_size}) + "\n")
    print({"test_accuracy": reached})


if __name__ == "__main__":
    main()
