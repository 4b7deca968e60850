"""`conspect explore`: a study in the browser, or one of its answers as JSON."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import BinaryIO

import click

from conspect.core.diagnostics import UserError, outside_error, user_error

PACKAGES = ("starlette", "uvicorn")
LARGEST_BODY = 32 * 2**20
NO_RESULTS = ("STUDY003", "STUDY004")


@click.command()
@click.argument("study", type=click.Path(path_type=Path))
@click.argument("after", type=click.Path(path_type=Path), required=False)
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port on 127.0.0.1 (default: any free one).")
@click.option("--open/--no-open", "browser", default=True, help="Open the page in the browser.")
@click.option("--ask", "address", metavar="ADDRESS", help='Print one answer: "/api/images?label=cat" (JSON).')
@click.option("--body", type=click.File("rb"), help="File with the question, where ADDRESS takes one (-: stdin).")
def explore(  # noqa: PLR0917 (click passes every option by name)
    study: Path, after: Path | None, port: int, browser: bool, address: str | None, body: BinaryIO | None
) -> None:
    """Look at a STUDY in the browser: click a number and see its images, ask in words, prove, mend labels.

    With a second study AFTER, that one is shown, beside STUDY as what was before it: a folder, or its results.json. The page
    and --ask give the same answers; docs/explorer.md lists the addresses. Everything stays on this machine.
    """
    from importlib.util import find_spec

    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise outside_error("WEB003", f"exploring needs {', '.join(missing)}", "pip install 'conspect[explore]'")
    from conspect.cli.progress import terminal_bar
    from conspect.study.exploration.opening import opened

    if body is not None and address is None:
        raise user_error("EXPLORE002", "--body without --ask", "say where to ask: --ask ADDRESS")
    folder, before = (study, None) if after is None else (after, study)
    if address is not None:
        from conspect.web.explorer.printing import printed

        content = None if body is None else body.read(LARGEST_BODY)
        answer = printed(opened(folder, terminal_bar, before=before), address, content)
        sys.stdout.buffer.write(answer)
        return
    from conspect.study.exploration.current import Current
    from conspect.study.running import is_running
    from conspect.study.study import CONFIG_FILE
    from conspect.web.explorer.app import require_page
    from conspect.web.explorer.serving import serve

    require_page()
    first = None
    try:
        first = opened(folder, terminal_bar, before=before, texts_soon=True)
    except UserError as error:
        if error.diagnostics[0].code not in NO_RESULTS or not is_running(folder / CONFIG_FILE):
            raise
        click.echo(f"a run of {folder} is under way: the page opens its results when it is done", err=True)

    def told(url: str) -> None:
        click.echo(f"exploring {folder}: {url}\nstop with Ctrl-C", err=True)
        if browser:
            click.launch(url)

    serve(Current(folder, lambda: opened(folder, before=before, texts_soon=True), first), port, told)
