"""`conspect explore`: a study in the browser, or one of its answers as JSON."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import BinaryIO

import click

from conspect.core.diagnostics import outside_error, user_error

PACKAGES = ("starlette", "uvicorn")


@click.command()
@click.argument("study", type=click.Path(path_type=Path))
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port on 127.0.0.1 (default: any free one).")
@click.option("--open/--no-open", "browser", default=True, help="Open the page in the browser.")
@click.option("--ask", "address", metavar="ADDRESS", help='Print one answer as JSON: "/api/images?label=cat".')
@click.option("--body", type=click.File("rb"), help="JSON file with the question, where ADDRESS takes one (-: stdin).")
def explore(study: Path, port: int, browser: bool, address: str | None, body: BinaryIO | None) -> None:
    """Look at a finished STUDY in the browser: click a number and see its images, ask in words, prove, mend labels.

    The page and --ask give the same answers; docs/explorer.md lists the addresses. Everything stays on this machine.
    """
    from importlib.util import find_spec

    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise outside_error("WEB003", f"exploring needs {', '.join(missing)}", "pip install 'conspect[serve]'")
    from conspect.cli.progress import terminal_bar
    from conspect.study.exploration.opening import opened

    if body is not None and address is None:
        raise user_error("EXPLORE002", "--body without --ask", "say where to ask: --ask ADDRESS")
    study_opened = opened(study, terminal_bar)
    if address is not None:
        from conspect.web.explorer.endpoints import answered

        content = None if body is None else body.read(2**21)
        sys.stdout.write(answered(study_opened.exploration, address, content).decode() + "\n")
        return
    from conspect.web.explorer.app import bundle
    from conspect.web.explorer.serving import serve

    if not bundle().joinpath("index.html").is_file():
        raise outside_error(
            "EXPLORE007", "the explorer's page is not built in this checkout", "build it: make explorer"
        )

    def told(url: str) -> None:
        click.echo(f"exploring {study}: {url}\nstop with Ctrl-C", err=True)
        if browser:
            click.launch(url)

    serve(study_opened, port, told)
