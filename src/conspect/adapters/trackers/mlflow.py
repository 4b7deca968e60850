"""The door to MLflow: one finished study as one run of an experiment. Its client alone is needed (`mlflow-skinny`)."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from conspect.core.diagnostics import outside_error
from conspect.core.protocols import ProgressBar, silent

# Read when mlflow is imported, or at each request. It reports to its makers, asks a server that is away for minutes, and
# writes addresses to standard output, which is the caller's.
SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
}
FINISHED, FAILED = "FINISHED", "FAILED"
# MLflow takes so many metrics in one request.
BATCH = 1000


@dataclass(frozen=True)
class TrackedRun:
    """What one run is told. `metrics` by name; `parameters` and `tags` are texts; `files` as (file here, folder there)."""

    name: str
    metrics: Mapping[str, float]
    parameters: Mapping[str, str]
    tags: Mapping[str, str]
    files: Sequence[tuple[Path, str | None]]


def log_run(run: TrackedRun, uri: str, experiment: str, bar: ProgressBar = silent) -> str:
    """Writes the run into `experiment` (made where it is not there) at the tracking server or store `uri`; returns its id.

    What fails half-way leaves a run that is marked as failed. Raises OutsideError TRACK001 without MLflow, TRACK002 when the
    server cannot be reached or refuses.
    """
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    try:
        tracking: Any = import_module("mlflow.tracking")
        entities: Any = import_module("mlflow.entities")
    except ImportError as error:
        raise outside_error("TRACK001", f"MLflow is not there: {error}", "pip install 'conspect[mlflow]'") from error
    advance = bar("files", len(run.files))
    try:
        client = tracking.MlflowClient(tracking_uri=uri)
        known = client.get_experiment_by_name(experiment)
        number = client.create_experiment(experiment) if known is None else known.experiment_id
        identity = str(client.create_run(number, run_name=run.name, tags=dict(run.tags)).info.run_id)
        try:
            _fill(client, entities, identity, run, advance)
        except BaseException:
            client.set_terminated(identity, FAILED)
            raise
        client.set_terminated(identity, FINISHED)
    except Exception as error:  # MLflow's own, those of requests, of SQLAlchemy and of its plugins
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        reason = reason.replace(_credentials(uri), "")[:300]
        fix = "check --mlflow and the server; MLFLOW_TRACKING_TOKEN and the like are MLflow's own"
        raise outside_error("TRACK002", f"{_public(uri)} cannot be logged to: {reason}", fix) from error
    return identity


def _fill(client: Any, entities: Any, identity: str, run: TrackedRun, advance: Callable[[int], None]) -> None:
    metrics = [entities.Metric(name, value, 0, 0) for name, value in run.metrics.items()]
    for start in range(0, len(metrics), BATCH):
        client.log_batch(identity, metrics=metrics[start : start + BATCH])
    client.log_batch(identity, params=[entities.Param(name, value) for name, value in run.parameters.items()])
    for path, folder in run.files:
        client.log_artifact(identity, str(path), folder)
        advance(1)


def _credentials(uri: str) -> str:
    """The name and password that may stand in an address, with the sign behind them; else a text that stands nowhere."""
    name, sign, _ = urlsplit(uri).netloc.rpartition("@")
    return name + sign if sign else "\0"


def _public(uri: str) -> str:
    return uri.replace(_credentials(uri), "")
