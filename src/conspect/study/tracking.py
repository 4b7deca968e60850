"""What a tracking server is told of a finished study: figures, digests, and the files that a reader wants."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from conspect.adapters.trackers.mlflow import TrackedRun
from conspect.results.results import Results

# At the top of the study's folder, and in folders of it. Embeddings and attacked images are large, and can be made again.
FILES = ("report.html", "results.json", "manifest.json", "study.toml", "failures.arrows", "orders.arrows")
FOLDERS = ("certificates", "card", "evidence")
# MLflow's names of metrics: https://mlflow.org/docs/latest/tracking.html
_NO_NAME = re.compile(r"[^\w\-. ]", re.ASCII)
LONGEST_NAME, LONGEST_VALUE = 250, 500


def tracked(results: Results, folder: Path, name: str | None = None) -> TrackedRun:
    """The run for the study in `folder`. A link is not followed: what it leads to may be no part of the study."""
    about = {
        "dataset": results.dataset.name, "split": results.dataset.split, "model": results.model.name,
        "vlm": results.vlm.name, "head": results.model.head, "seed": str(results.asked.seed),
    }  # fmt: skip
    digests = {
        "conspect.version": results.conspect,
        "conspect.model_digest": results.model.digest,
        "conspect.data_digest": results.dataset.digest,
        "conspect.lens_digest": results.alignment.lens_digest,
    }
    return TrackedRun(
        name=(name or folder.resolve().name)[:LONGEST_NAME],
        metrics=metrics(results),
        parameters={key: value[:LONGEST_VALUE] for key, value in about.items()},
        tags=digests,
        files=files(folder),
    )


def metrics(results: Results) -> dict[str, float]:
    """Figures by name: shares in [0, 1], counts; what the study did not measure is left out."""
    model, alignment = results.model, results.alignment
    values: dict[str, float | None] = {
        "accuracy": model.accuracy,
        "accuracy_low": model.accuracy_interval.low,
        "accuracy_high": model.accuracy_interval.high,
        "images": results.dataset.readable,
        "unreadable": len(results.unreadable),
        "failures": results.localization.failures,
        "alignment_r2": alignment.r2,
        "lens_zero_shot_accuracy": alignment.zero_shot_accuracy,
        "lens_agreement": alignment.agreement,
    }
    for name, quality in zip(_distinct(results.classes), model.by_class, strict=True):
        values[f"recall/{name}"] = quality.recall.value
    if results.verification is not None:
        verdicts = Counter(str(entry.verdict) for entry in results.verification.properties)
        values |= {f"properties_{verdict}": verdicts[verdict] for verdict in ("holds", "violated", "unknown")}
    if results.monitor is not None:
        kept = results.monitor.kept
        values |= {
            "monitor_accepted": kept.accepted.value,
            "monitor_errors_among_accepted": kept.errors_among_accepted.value,
            "monitor_failures_flagged": kept.failures_flagged.value,
        }
    return {name: float(value) for name, value in values.items() if value is not None}


def files(folder: Path) -> list[tuple[Path, str | None]]:
    """The study's files and where they go; links are left out, wherever they stand."""
    top: list[tuple[Path, str | None]] = [(folder / name, None) for name in FILES]
    below = [
        (path, path.parent.relative_to(folder).as_posix())
        for name in FOLDERS
        if not (folder / name).is_symlink()
        for path in sorted((folder / name).rglob("*"))
    ]
    return [(path, place) for path, place in [*top, *below] if path.is_file() and not _through_link(path, folder)]


def _through_link(path: Path, folder: Path) -> bool:
    steps = [path, *path.parents]
    return any(step.is_symlink() for step in steps[: steps.index(folder)])


def _distinct(names: tuple[str, ...]) -> list[str]:
    """Names as MLflow takes them; those that become alike carry their number."""
    plain = [_NO_NAME.sub("_", name)[: LONGEST_NAME // 2] for name in names]
    return [name if plain.count(name) == 1 else f"{name}_{number}" for number, name in enumerate(plain)]
