"""MkDocs hooks: pages that are generated from the code, and pages that lie outside docs/."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "src"))
# From outside docs/: pages, and files that pages link to.
OUTSIDE = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "CODE_OF_CONDUCT.md")
LINKED = ("LICENSE", "changelog.d/README.md", "examples/**/*", "training/*.log")
# README.md is the site's first page, and changelog.d/README.md is for those who have the repository.
RENAMED = {"README.md": "index.md", "changelog.d/README.md": "changelog.d.md"}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the generated pages and what lies outside docs/."""
    for name in OUTSIDE:
        files.append(File.generated(config, RENAMED.get(name, name), abs_src_path=str(ROOT / name)))
    for pattern in LINKED:
        for path in sorted(ROOT.glob(pattern)):
            name = path.relative_to(ROOT).as_posix()
            if path.is_file() and not files.get_file_from_path(RENAMED.get(name, name)):
                files.append(File.generated(config, RENAMED.get(name, name), abs_src_path=str(path)))
    files.append(File.generated(config, "reference/command-line.md", content=command_line_page()))
    files.append(File.generated(config, "reference/python.md", content=python_page()))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links as they are in the repository become links as they are on the site, where docs/ is the root."""
    outside = page.file.src_uri in {RENAMED.get(name, name) for name in OUTSIDE}

    def moved(link: re.Match[str]) -> str:
        target = link.group(1)
        if outside:
            target = re.sub(r"^docs/", "", target)
        elif page.file.src_uri.startswith("examples/"):
            target = target.replace("../docs/", "../")
        else:
            target = re.sub(
                r"^\.\./(?=README|CONTRIBUTING|CHANGELOG|SECURITY|LICENSE|examples|training|changelog)", "", target
            )
        name, *fragment = target.split("#", 1)
        if (ROOT / name).is_dir() and (ROOT / name / "README.md").is_file():
            name = f"{name.rstrip('/')}/README.md"
        return f"]({'#'.join([RENAMED.get(name, name), *fragment])})"

    if page.file.src_uri == "index.md" or outside:
        markdown = markdown.replace("](examples)", "](examples/rival10/README.md)")
    return re.sub(
        r"\]\((?!https?://|#)([^)\s]+)\)", moved, markdown.replace("](../examples)", "](../examples/rival10/README.md)")
    )


def command_line_page() -> str:
    """Every command with its arguments and options, from the program itself."""
    from conspect.cli.main import main

    parts = ["# The command line\n\nWritten from the program itself; `conspect COMMAND --help` says the same.\n"]
    parts.append(f"```text\n{main.get_help(click.Context(main, info_name='conspect'))}\n```\n")
    for path, command in _commands(main, "conspect"):
        context = click.Context(command, info_name=path, max_content_width=100)
        parts.append(f"## {path}\n\n```text\n{command.get_help(context)}\n```\n")
    return "\n".join(parts)


def _commands(group: click.Group, path: str) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from _commands(command, f"{path} {name}")
        elif command is not None:
            yield f"{path} {name}", command


def python_page() -> str:
    """The names of `import conspect` and the functions of the analyses, from their docstrings."""
    import conspect

    homes: dict[str, Any] = vars(conspect)["_HOME"]
    parts = ["# Python, every name\n\nWritten from the docstrings.\n\n## import conspect as cs\n"]
    parts += [f"::: {homes[name]}.{name}\n" for name in conspect.__all__ if name in homes]
    for room in ("analysis", "statistics"):
        parts.append(f"## conspect.{room}\n")
        folder = ROOT / "src" / "conspect" / room
        for path in sorted(folder.rglob("[!_]*.py")):
            parts.append(f"::: {'.'.join(path.relative_to(ROOT / 'src').with_suffix('').parts)}\n")
    return "\n".join(parts)
