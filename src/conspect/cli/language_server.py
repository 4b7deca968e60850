"""`conspect language-server`."""

from __future__ import annotations

import os

import click

from conspect.core.diagnostics import outside_error


@click.command("language-server")
def language_server() -> None:
    """Serve Con_spec to an editor over standard input and output: mistakes, hover, completion, layout, declarations."""
    from conspect.core.version import VERSION

    try:
        from conspect.editor.server import server
    except ImportError as error:
        if error.name not in ("pygls", "lsprotocol"):
            raise
        raise outside_error("CLI002", "the package pygls is not installed", "pip install 'conspect[editor]'") from None
    # Duplicates: the library closes what it was given, and this process still flushes its own output when it ends.
    with os.fdopen(os.dup(0), "rb") as messages, os.fdopen(os.dup(1), "wb") as answers:
        server(VERSION).start_io(messages, answers)
