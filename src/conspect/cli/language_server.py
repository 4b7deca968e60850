"""`conspect language-server`."""

from __future__ import annotations

import click

from conspect.core.diagnostics import outside_error


@click.command("language-server")
def language_server() -> None:
    """Serve Con_spec to an editor over standard input and output: mistakes, hover, completion, layout."""
    from conspect.core.version import VERSION

    try:
        from conspect.editor.server import server
    except ImportError as error:
        if error.name not in ("pygls", "lsprotocol"):
            raise
        raise outside_error("CLI002", "the package pygls is not installed", "pip install 'conspect[editor]'") from None
    server(VERSION).start_io()
