"""`conspect monitor export`: the monitor of a study as one ONNX graph."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from conspect.monitor.export.graph import GraphValue

STARTS = ("embedding", "image")


@click.command()
@click.option("--study", required=True, type=click.Path(path_type=Path, file_okay=False), help="The study's folder.")
@click.option("--onnx", "file", required=True, type=click.Path(path_type=Path), help="File to write.")
@click.option(
    "--from",
    "start",
    type=click.Choice(STARTS),
    default="embedding",
    show_default=True,
    help="Where the graph begins: at embedding and logits, or at the image, with the model in it.",
)
@click.option("--second-look", is_flag=True, help="The verdict of several looks at each input, not of one.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output.")
def export(study: Path, file: Path, start: str, second_look: bool, as_json: bool) -> None:
    """Write the monitor that `conspect monitor fit` left in STUDY/monitor as one ONNX graph."""
    from conspect.core.files import require_place
    from conspect.monitor.export import attached, monitor_graph, signature, write
    from conspect.monitor.runtime import Monitor
    from conspect.monitor.runtime.storage import read_guarantee
    from conspect.study import Study
    from conspect.study.inputs import open_model
    from conspect.study.packages import GRAPH, require_with_model
    from conspect.study.study import lens_of

    require_place(file, making_folders=True)
    opened = Study.open(study)
    require_with_model(opened.config, {"the graph": GRAPH})
    model = open_model(opened.config, opened.folder)
    monitor = Monitor.load(opened.monitor_folder, model=model, lens_digest=lens_of(opened.folder))
    guarantee = read_guarantee(opened.monitor_folder)
    if start == "image":
        from conspect.adapters.models.onnx_graph import encoder_graph

        graph = attached(encoder_graph(model), monitor, guarantee=guarantee, second_look=second_look)
    else:
        graph = monitor_graph(monitor, guarantee=guarantee, second_look=second_look)
    write(graph, file)
    inputs, outputs = signature(graph)
    if as_json:
        click.echo(
            json.dumps({"file": str(file), "inputs": [*map(asdict, inputs)], "outputs": [*map(asdict, outputs)]})
        )
    else:
        click.echo(f"{file}: {', '.join(map(_described, inputs))} -> {', '.join(map(_described, outputs))}")


def _described(value: GraphValue) -> str:
    return f"{value.name} [{', '.join(map(str, value.shape))}] {value.type}"
