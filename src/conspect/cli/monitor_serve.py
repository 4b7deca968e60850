"""`conspect monitor serve`: the monitor as an HTTP service."""

from __future__ import annotations

from pathlib import Path

import click

from conspect.cli.numbers import NumberRange
from conspect.core.diagnostics import outside_error, user_error


@click.command()
@click.option("--study", type=click.Path(path_type=Path), help="Serve this study's model with its monitor.")
@click.option(
    "--monitor", type=click.Path(path_type=Path), help="Folder of the monitor; STUDY/monitor when there is a study."
)
@click.option("--second-look", is_flag=True, help="Look at every image four times; images only.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="0: any free one.")
@click.option(
    "--token-file", type=click.Path(path_type=Path), help="A token that clients must send; needed off loopback."
)
@click.option("--max-body", type=click.IntRange(1, 1024), default=16, show_default=True, help="MiB in one request.")
@click.option("--max-inputs", type=click.IntRange(1), default=256, show_default=True, help="Inputs in one request.")
@click.option("--max-pixels", type=click.IntRange(1), default=25_000_000, show_default=True, help="Of one image.")
@click.option(
    "--max-request-pixels",
    type=click.IntRange(1),
    default=50_000_000,
    show_default=True,
    help="Of all images of a request.",
)
@click.option("--queue", type=click.IntRange(1), default=1024, show_default=True, help="Inputs waiting; then 429.")
@click.option(
    "--batch", type=click.IntRange(1), default=64, show_default=True, help="Images through the model at once."
)
@click.option("--timeout", type=NumberRange(0.1), default=30.0, show_default=True, help="Seconds to send in.")
def serve(  # noqa: PLR0917 (click passes every option by name)
    study: Path | None,
    monitor: Path | None,
    second_look: bool,
    host: str,
    port: int,
    token_file: Path | None,
    max_body: int,
    max_inputs: int,
    max_pixels: int,
    max_request_pixels: int,
    queue: int,
    batch: int,
    timeout: float,
) -> None:
    """Answer over HTTP whether the model's outputs can be believed, until SIGTERM or Ctrl-C."""
    from importlib.util import find_spec

    from conspect.study.packages import SERVICE, require_with_model

    if study is not None:
        from conspect.study.config import read_config
        from conspect.study.study import CONFIG_FILE

        require_with_model(read_config(study / CONFIG_FILE), {"the service": SERVICE})
    missing = [name for name in SERVICE.modules if find_spec(name) is None]
    if missing:
        problem = f"serving needs {', '.join(missing).replace('_', '-')}"
        raise outside_error("WEB003", problem, "pip install 'conspect[serve]'")
    if queue < max_inputs:
        problem = f"--queue {queue} has no room for one request of --max-inputs {max_inputs}"
        raise user_error("WEB004", problem, "make the queue larger, or requests smaller")
    from conspect.study.monitor.serving import deployed
    from conspect.web.limits import Limits
    from conspect.web.server import read_token
    from conspect.web.server import serve as run

    limits = Limits(
        body_bytes=max_body << 20,
        inputs=max_inputs,
        pixels=max_pixels,
        request_pixels=max_request_pixels,
        queue=queue,
        batch=batch,
        seconds=timeout,
    )
    token = None if token_file is None else read_token(token_file)
    run(deployed(study, monitor, second_look=second_look), host=host, port=port, token=token, limits=limits)
