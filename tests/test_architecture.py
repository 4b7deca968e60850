"""Which room may enter which, and what an import may cost. docs/architecture.md says why."""

import ast
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.documentation import DOCS, PACKAGE

SOURCE = PACKAGE

EVERYTHING = {path.name for path in SOURCE.iterdir() if path.is_dir()}
# Room to the other rooms it may import. What is not listed is forbidden.
ROOMS = {
    "core": set(),
    "checker": set(),
    "language": {"core"},
    "statistics": {"core"},
    "analysis": {"statistics", "core"},
    "monitor": {"language", "statistics", "core"},
    "verification": {"language", "statistics", "core"},
    "assurance": {"results", "language", "core"},
    "comparison": {"results", "statistics", "core"},
    "assets": {"core"},
    "adapters": {"core", "assets"},
    "results": {"core"},
    "report": {"core", "results"},
    "faults": {"study", "adapters", "analysis", "statistics", "assets", "core"},
    "study": EVERYTHING - {"cli", "web", "faults", "bench", "editor", "testing", "assurance"},
    "cli": {
        "assurance",
        "editor",
        "comparison",
        "study",
        "results",
        "report",
        "core",
        "assets",
        "language",
        "verification",
        "checker",
        "monitor",
        "adapters",
        "bench",
        "web",
    },
    "editor": {"language", "results", "core"},
    "testing": {"study", "verification", "language", "report", "core"},
    "web": {"study", "results", "monitor", "core"},
    "bench": EVERYTHING - {"cli"},
}
# Room to the libraries it may import beside the standard library.
LIBRARIES = {
    "core": {"numpy"},
    "checker": set(),
    "language": {"numpy"},
    "statistics": {"numpy", "scipy", "threadpoolctl"},
    "analysis": {"numpy", "numba", "scipy"},
    "monitor": {"numpy", "scipy", "safetensors", "onnx"},
    "assets": set(),
    "assurance": set(),
    "comparison": {"numpy", "msgspec"},
    "results": {"msgspec"},
    "report": {"jinja2", "markupsafe", "msgspec"},
    "study": {"numpy", "PIL", "msgspec", "platformdirs"},
    "faults": {"numpy", "torch", "safetensors", "PIL"},
    "web": {
        "PIL",
        "msgspec",
        "numpy",
        "fastapi",
        "starlette",
        "pydantic",
        "uvicorn",
        "h11",
        "python_multipart",
        "prometheus_client",
    },
    "editor": {"pygls", "lsprotocol"},
    "testing": {"pytest"},
    "cli": {"click", "tqdm"},
}
HEAVY = {
    "fastapi",
    "uvicorn",
    "art",
    "torch",
    "transformers",
    "onnx",
    "onnxruntime",
    "numba",
    "sklearn",
    "highspy",
    "pyscipopt",
    "rdflib",
    "datasets",
    "pyarrow",
    "PIL",
    "ray",
    "fsspec",
    "s3fs",
}
# Permissions that nothing uses today: a benchmark may measure whatever there is.
SPARE = {("bench", room) for room in EVERYTHING}
# Longer than the 400 lines that are the limit elsewhere, because it must be readable, and auditable, alone.
LONGER = {"checker/check.py": 1650}
START_SECONDS = 0.4


def modules() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


def name_of(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix()


def room_of(path: Path) -> str:
    parts = path.relative_to(SOURCE).parts
    return parts[0] if len(parts) > 1 else ""


def imported(source: str, package: tuple[str, ...]) -> set[str]:
    """Dotted names of all that a module imports, wherever the import stands; `package` resolves relative ones."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            origin = ".".join(part for part in (base, node.module) if part)
            names |= {f"{origin}.{alias.name}" for alias in node.names}
    return names


def forbidden(room: str, names: set[str]) -> set[str]:
    """Those of the imported `names` that a module of `room` may not have."""
    wrong = set()
    for name in names:
        top, *rest = name.split(".")
        if top == "conspect":
            other = rest[0] if rest else ""
            # What is in no room stands above all: `conspect` itself names what every room offers.
            if other not in {*ROOMS[room], room}:
                wrong.add(name)
        elif top not in sys.stdlib_module_names and top not in LIBRARIES.get(room, {top}):
            wrong.add(name)
    return wrong


def imports_of(path: Path) -> set[str]:
    return imported(path.read_text(encoding="utf-8"), ("conspect", *path.relative_to(SOURCE).parent.parts))


@pytest.mark.parametrize("path", [path for path in modules() if room_of(path)], ids=name_of)
def test_a_module_enters_only_the_rooms_it_may(path: Path) -> None:
    assert forbidden(room_of(path), imports_of(path)) == set()


def test_every_room_has_its_rules_and_is_described() -> None:
    rooms = {room_of(path) for path in modules()} - {""}
    assert rooms <= set(ROOMS)
    page = (DOCS / "architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| [^|]* \| ([^|]*)\|[^|]*\|$", page, re.MULTILINE)
    assert {room: permitted(cell) for room, cell in rows} == {room: set(ROOMS[room]) for room in rooms}


def permitted(cell: str) -> set[str]:
    """The rooms that a cell of the page's table names."""
    names = set(re.findall(r"\w+", cell)) & EVERYTHING
    return EVERYTHING - names if cell.startswith("all but") else EVERYTHING if "everything" in cell else names


def test_no_room_may_enter_one_that_it_has_no_use_for() -> None:
    used = {
        (room_of(path), name.split(".")[1])
        for path in modules()
        for name in imports_of(path)
        if name.startswith("conspect.")
    }
    assert {
        (room, other) for room in ROOMS for other in set(ROOMS[room]) - {room} if (room, other) not in used
    } - SPARE == set()


def test_every_folder_of_a_room_is_described() -> None:
    page = (DOCS / "architecture.md").read_text(encoding="utf-8")
    folders = {
        path.parent.relative_to(SOURCE).as_posix() for path in modules() if len(path.relative_to(SOURCE).parts) > 2
    }
    assert len(folders) > 30
    assert {folder for folder in folders if f"`{folder}`" not in page} == set()


@pytest.mark.parametrize("path", [path for path in modules() if path.name == "__init__.py"], ids=name_of)
def test_a_room_and_each_folder_say_what_they_are_for(path: Path) -> None:
    described = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    assert len(described.split()) > 3, described


@pytest.mark.parametrize(
    ("room", "source"),
    [
        ("core", "from conspect.language.syntax.tree import Formula"),
        ("analysis", "def f():\n    from conspect.adapters import models"),
        ("checker", "import numpy as np"),
        ("report", "from conspect import study"),
        ("language", "from ..verification import plan"),
        ("study", "import torch"),
        ("study", "from conspect.faults import heads"),
        ("cli", "import conspect.analysis.heatmaps"),
        ("bench", "def f():\n    from conspect.cli.main import run"),
        ("core", "if TYPE_CHECKING:\n    from conspect.results.shares import Share"),
        ("report", "import conspect"),
        ("web", "from conspect import __version__"),
        ("study", "def f():\n    from conspect import Study"),
    ],
)
def test_the_check_can_fail(room: str, source: str) -> None:
    assert forbidden(room, imported(source, ("conspect", room)))


def module_name(path: Path) -> str:
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(("conspect", *(parts[:-1] if parts[-1] == "__init__" else parts)))


def imported_modules(sources: Mapping[str, str]) -> dict[str, set[str]]:
    """Module to the modules among `sources` that it imports, wherever the import stands: in a function, or for types alone."""
    graph: dict[str, set[str]] = {}
    for name, source in sources.items():
        names = imported(source, tuple(name.split(".")))
        known = {dotted if dotted in sources else dotted.rpartition(".")[0] for dotted in names}
        graph[name] = (known & set(sources)) - {name}
    return graph


def circles(graph: Mapping[str, set[str]]) -> list[set[str]]:
    """Sets of modules that import one another, directly or by way of each other."""

    def reached(start: str) -> set[str]:
        seen: set[str] = set()
        waiting = [start]
        while waiting:
            for other in graph[waiting.pop()] - seen:
                seen.add(other)
                waiting.append(other)
        return seen

    beyond = {name: reached(name) for name in graph}
    rings = {frozenset({other for other in beyond[name] if name in beyond[other]}) for name in graph}
    return [set(circle) for circle in rings if circle]


def test_no_module_imports_itself_by_way_of_others() -> None:
    graph = imported_modules({module_name(path): path.read_text(encoding="utf-8") for path in modules()})
    assert len(graph) > 300
    assert sum(map(len, graph.values())) > 1000
    assert circles(graph) == []


def test_a_circle_is_seen() -> None:
    sources = {
        "conspect.a.one": "def f():\n    from conspect.a import two",
        "conspect.a.two": "from conspect.b.three import X",
        "conspect.b.three": "import conspect.a.one",
        "conspect.b.four": "from conspect.a.one import f\nif TYPE_CHECKING:\n    from conspect.b import five",
        "conspect.b.five": "from conspect.b.four import g",
        "conspect.b.six": "from conspect.b.five import h",
    }
    rings = circles(imported_modules(sources))
    assert len(rings) == 2
    assert {"conspect.a.one", "conspect.a.two", "conspect.b.three"} in rings
    assert {"conspect.b.four", "conspect.b.five"} in rings


def test_no_room_may_enter_itself_by_way_of_others() -> None:
    assert circles({room: set(others) - {room} for room, others in ROOMS.items()}) == []


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_every_import_of_a_module_of_ours_finds_it(path: Path) -> None:
    known = {module_name(module) for module in modules()}
    ours = {name for name in imports_of(path) if name.startswith("conspect.")}
    assert {name for name in ours if not {name, name.rpartition(".")[0]} & known} == set()


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_a_module_says_what_it_is(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert ast.get_docstring(ast.parse(text)), "no docstring"
    assert len(text.splitlines()) <= LONGER.get(name_of(path), 400)


def test_no_module_is_named_after_nothing() -> None:
    assert {path.stem for path in modules()} & {"utils", "helpers", "manager", "misc", "util", "common"} == set()


def test_a_package_has_no_module_beside_it_that_its_name_would_hide() -> None:
    assert [path for path in modules() if path.with_suffix("").is_dir()] == []


STARTS = {
    "import": "import conspect",
    "help": "from conspect.cli.main import main; main(['--help'], standalone_mode=False)",
}


@pytest.mark.parametrize("code", STARTS.values(), ids=STARTS)
def test_a_start_is_quick(code: str) -> None:
    """The limit is for a quiet machine; three times as much is allowed here, best of five."""
    best = float("inf")
    for _ in range(5):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
        best = min(best, time.perf_counter() - start)
        if best < START_SECONDS:
            break
    assert best < 3 * START_SECONDS


@pytest.mark.parametrize("code", STARTS.values(), ids=STARTS)
def test_a_start_loads_nothing_heavy(code: str) -> None:
    listing = f"{code}\nimport sys; print('MODULES', *sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", listing], check=True, capture_output=True, text=True)
    loaded = set(done.stderr.split("MODULES")[1].split())
    assert loaded & HEAVY == set()
    assert "numpy" not in loaded
