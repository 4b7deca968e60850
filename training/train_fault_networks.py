"""Trains the small networks that faults are planted in: four kinds, each plainly and with heavy augmentation.

    nice -n 19 python training/train_fault_networks.py [--only NAME ...] [--epochs 9] [--cifar10 DIR]

Each is trained on the first 15,000 images of CIFAR-10's training split, minutes apiece on one core. Weights (float16, 0.3 to
0.7 MB each) go to training/kept/networks/, one JSON line a network to training/fault_networks.log. Resumes after a kill at
the last finished epoch: every epoch draws its randomness from (seed, epoch) alone. Test images are looked at once, at the end.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import platformdirs
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional

from conspect.adapters.datasets import cifar10
from conspect.faults.subjects.networks import Kind, StagedNetwork, prepared

ROOT = Path(__file__).resolve().parent.parent
KEPT, LOG = ROOT / "training/kept/networks", ROOT / "training/fault_networks.log"
BATCH, IMAGES, TEST_IMAGES = 128, 15_000, 3000
# Peak rate of AdamW by kind: what trains without diverging.
RATES = {Kind.BATCH_NORM: 4e-3, Kind.GROUP_NORM: 3e-3, Kind.NO_NORM: 1e-3, Kind.TRANSFORMER: 1.5e-3}


@dataclass(frozen=True)
class Recipe:
    """A network's kind, seed, and whether it is trained with crops and flips alone or with holes, colours and mixing too."""

    kind: Kind
    seed: int
    heavy: bool


RECIPES = {
    "group-norm": Recipe(Kind.GROUP_NORM, 0, heavy=False),
    "no-norm": Recipe(Kind.NO_NORM, 0, heavy=False),
    "batch-norm": Recipe(Kind.BATCH_NORM, 0, heavy=False),
    "batch-norm-heavy": Recipe(Kind.BATCH_NORM, 1, heavy=True),
    "transformer": Recipe(Kind.TRANSFORMER, 0, heavy=False),
    "group-norm-heavy": Recipe(Kind.GROUP_NORM, 1, heavy=True),
    "no-norm-heavy": Recipe(Kind.NO_NORM, 1, heavy=True),
    "transformer-heavy": Recipe(Kind.TRANSFORMER, 1, heavy=True),
}


def augmented(images: Tensor, generator: torch.Generator, *, heavy: bool) -> Tensor:
    """Random crops (4 pixels of padding) and flips; heavy: an 12 x 12 hole and each channel's gain and offset as well."""
    count = len(images)
    padded = functional.pad(images, (4,) * 4, mode="reflect")
    dy, dx, cy, cx = (torch.randint(high, (count,), generator=generator) for high in (9, 9, 32, 32))
    span = torch.arange(32)
    ys, xs = dy[:, None] + span, dx[:, None] + span
    xs = torch.where((torch.rand(count, generator=generator) < 0.5)[:, None], xs.flip(1), xs)
    out = padded[torch.arange(count)[:, None, None], :, ys[:, :, None], xs[:, None, :]].permute(0, 3, 1, 2)
    if heavy:
        hole = ((span - cy[:, None]).abs() < 6)[:, :, None] & ((span - cx[:, None]).abs() < 6)[:, None]
        gain = torch.exp(0.3 * torch.randn(count, 3, 1, 1, generator=generator))
        out = (out * gain + 0.3 * torch.randn(count, 3, 1, 1, generator=generator)).masked_fill(hole[:, None], 0.0)
    return out.contiguous()


def train(name: str, recipe: Recipe, images: Tensor, labels: Tensor, epochs: int) -> StagedNetwork:
    """The network after `epochs`, from its checkpoint where there is one."""
    torch.manual_seed(recipe.seed)
    model = StagedNetwork(recipe.kind, len(cifar10.CLASS_NAMES))
    rate, per_epoch = RATES[recipe.kind], len(images) // BATCH
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=epochs * per_epoch)
    checkpoint = KEPT / f"{name}.part.pt"
    first = 0
    if checkpoint.is_file():
        kept = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(kept["model"])
        optimizer.load_state_dict(kept["optimizer"])
        schedule.load_state_dict(kept["schedule"])
        first = kept["epoch"]
    for epoch in range(first, epochs):
        start, total = time.monotonic(), 0.0
        generator = torch.Generator().manual_seed(1000 * recipe.seed + epoch)
        model.train()
        for rows in torch.split(torch.randperm(len(images), generator=generator)[: per_epoch * BATCH], BATCH):
            x, y = augmented(images[rows], generator, heavy=recipe.heavy), labels[rows]
            share = float(torch.rand((), generator=generator)) if recipe.heavy else 1.0
            with torch.autocast("cpu", torch.bfloat16):
                out = model(share * x + (1 - share) * x.flip(0))
                loss = share * functional.cross_entropy(out, y) + (1 - share) * functional.cross_entropy(out, y.flip(0))
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            total += float(loss.detach())
        state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "schedule": schedule.state_dict()}
        torch.save({**state, "epoch": epoch + 1}, checkpoint.with_suffix(".tmp"))
        os.replace(checkpoint.with_suffix(".tmp"), checkpoint)
        print(name, epoch + 1, round(total / per_epoch, 4), f"{time.monotonic() - start:.0f} s", flush=True)
    return model


@torch.inference_mode()
def accuracy(model: StagedNetwork, images: Tensor, labels: Tensor) -> float:
    """Share of images whose largest logit is the label's."""
    hits = [model(x).argmax(1) == y for x, y in zip(torch.split(images, 500), torch.split(labels, 500), strict=True)]
    return float(torch.cat(hits).float().mean())


def main() -> None:
    """Trains what is not there yet, in the order of `RECIPES`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=list(RECIPES), default=list(RECIPES))
    parser.add_argument("--epochs", type=int, default=9)
    parser.add_argument("--cifar10", type=Path)
    options = parser.parse_args()
    KEPT.mkdir(parents=True, exist_ok=True)
    cache = Path(platformdirs.user_cache_dir("conspect"))
    splits = {split: cifar10.load(split, directory=options.cifar10, cache=cache) for split in ("train", "test")}
    sizes = {"train": IMAGES, "test": TEST_IMAGES}
    images = {k: torch.from_numpy(prepared(np.asarray(one.pixels[: sizes[k]]))) for k, one in splits.items()}
    labels = {k: torch.from_numpy(np.asarray(one.labels[: sizes[k]])) for k, one in splits.items()}
    for name in options.only:
        path, recipe = KEPT / f"{name}.safetensors", RECIPES[name]
        if path.is_file():
            continue
        start = time.monotonic()
        model = train(name, recipe, images["train"], labels["train"], options.epochs)
        model.half().float().eval()  # judge exactly what is kept
        reached = {k: round(accuracy(model, images[k][:TEST_IMAGES], labels[k][:TEST_IMAGES]), 4) for k in images}
        about = {"kind": recipe.kind.value, "classes": json.dumps(cifar10.CLASS_NAMES), "name": name}
        about |= {"seed": str(recipe.seed), "heavy": json.dumps(recipe.heavy), "test_accuracy": str(reached["test"])}
        weights = {k: v.half().contiguous() for k, v in model.state_dict().items() if v.is_floating_point()}
        save_file(weights, path, metadata=about)
        (KEPT / f"{name}.part.pt").unlink()
        line = {"name": name, "epochs": options.epochs, **{f"{k}_accuracy": v for k, v in reached.items()}}
        line |= {"bytes": path.stat().st_size, "seconds": round(time.monotonic() - start)}
        with LOG.open("a", encoding="utf-8") as log:
            log.write(json.dumps(line) + "\n")
        print(line, flush=True)


if __name__ == "__main__":
    main()
