"""What a contributor meets first: changelog fragments, one version, a list of what make can do."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

import conspect
from tests.documentation import PACKAGE

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "changelog.d"
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["towncrier"]
KINDS = {kind["directory"] for kind in SETTINGS["type"]}
LONGEST = 600


def faults(name: str, text: str) -> list[str]:
    """What is wrong with a fragment called `name` that says `text`."""
    wrong = []
    form = re.fullmatch(r"([a-z0-9]+(?:-[a-z0-9]+)*)\.([a-z]+)\.md", name)
    if form is None:
        wrong.append("its name is not short-name.kind.md")
    elif form.group(2) not in KINDS:
        wrong.append(f"its kind is none of {', '.join(sorted(KINDS))}")
    if not text.strip().endswith((".", ".)")):
        wrong.append("it does not end with a full stop")
    if text.lstrip().startswith(("-", "*", "#")):
        wrong.append("it starts with a bullet or heading, which the changelog adds")
    if len(text) > LONGEST:
        wrong.append(f"it is longer than {LONGEST} characters")
    return wrong


def test_every_fragment_is_well_formed() -> None:
    fragments = [path for path in FOLDER.iterdir() if path.name not in SETTINGS["ignore"]]
    assert {path.name: wrong for path in fragments if (wrong := faults(path.name, path.read_text("utf-8")))} == {}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("faster.md", "It is faster."),
        ("faster.improved.md", "It is faster."),
        ("It Is.added.md", "It is faster."),
        ("faster.added.txt", "It is faster."),
        ("faster.added.md", "it is faster"),
        ("faster.added.md", "- It is faster."),
        ("faster.added.md", "Long. " * 200),
    ],
)
def test_the_check_can_fail(name: str, text: str) -> None:
    assert faults(name, text)


def test_the_changelog_holds_the_mark_that_releases_are_written_at() -> None:
    assert "<!-- towncrier release notes start -->" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_version_stands_in_one_place_and_the_citation_says_the_same() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "version" not in project["project"]
    assert project["tool"]["hatch"]["version"]["path"] == "src/conspect/core/version.py"
    assert f"\nversion: {conspect.__version__}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")


def test_every_target_of_the_makefile_is_in_its_help() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    (phony,) = re.findall(r"^\.PHONY: (.+)$", text, flags=re.MULTILINE)
    explained = set(re.findall(r"^([a-z-]+):.*## .+$", text, flags=re.MULTILINE))
    assert explained == set(phony.split())


@pytest.mark.parametrize("name", ["demo", "test", "dev"])
def test_every_line_of_the_lock_has_a_version_and_a_digest(name: str) -> None:
    text = (ROOT / "lock" / f"{name}.txt").read_text(encoding="utf-8")
    entries = re.split(r"\n(?=\S)", text.strip())[1:]
    assert len(entries) > 50
    assert [entry for entry in entries if "==" not in entry or "--hash=sha256:" not in entry] == []
    assert [entry for entry in entries if entry.startswith(("torch==", "nvidia-", "triton"))] == []


def test_the_lock_holds_every_package_that_its_extras_name() -> None:
    """So that a package added to pyproject.toml and not locked is seen at once."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]

    def wanted(entries: list[str]) -> set[str]:
        names: set[str] = set()
        for entry in entries:
            inner = re.fullmatch(r"conspect\[(.+)\]", entry)
            if inner is None:
                names.add(named(entry))
            else:
                for extra in inner.group(1).split(","):
                    names |= wanted(extras[extra])
        return names

    for name, taken in {"demo": ["demo"], "test": ["demo", "test"], "dev": ["demo", "dev", "docs"]}.items():
        lines = (ROOT / "lock" / f"{name}.txt").read_text(encoding="utf-8").splitlines()
        locked = {named(line) for line in lines if "==" in line}
        asked = wanted(project["dependencies"]).union(*(wanted(extras[extra]) for extra in taken))
        assert asked - locked == {"torch"}


def named(requirement: str) -> str:
    """The name of a requirement, as the index compares names."""
    return re.split(r"[<>=\[ ;]", requirement)[0].lower().replace("_", "-")


def test_every_file_and_name_of_the_recipes_is_there() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    places = [name for name in re.findall(r"`([a-z_./]+)`", text) if "/" in name and not name.startswith("out/")]
    assert len(places) > 20
    roots = (ROOT, PACKAGE, PACKAGE / "language" / "meaning")
    assert [name for name in places if not any((root / name).exists() for root in roots)] == []
    for module, names in RECIPES.items():
        source = (PACKAGE / module).read_text(encoding="utf-8")
        for name in names:
            assert f"`{name}`" in text, name
            assert re.search(rf"^(class |def )?{name}\b", source, flags=re.MULTILINE), f"{module}: {name}"


RECIPES = {
    "adapters/datasets/__init__.py": ("DataKind", "KINDS", "open_split"),
    "adapters/datasets/catalogue.py": ("Catalogue",),
    "monitor/evaluation.py": ("KIND_OF", "Detectors"),
    "statistics/detection.py": ("Score",),
    "language/syntax/tree.py": ("Formula",),
}


def test_every_action_of_a_workflow_is_pinned_to_a_commit() -> None:
    """A tag can be moved to other code; the version stands beside it for the reader."""
    used = [
        line.strip(" -")
        for path in (ROOT / ".github" / "workflows").glob("*.yml")
        for line in path.read_text(encoding="utf-8").splitlines()
        if "uses:" in line
    ]
    assert len(used) > 10
    assert [line for line in used if not re.fullmatch(r"uses: [\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line)] == []


def test_the_workflows_test_every_python_that_is_allowed_and_may_only_read() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    allowed = [entry.split(" :: ")[-1] for entry in project["classifiers"] if re.search(r":: 3\.\d+$", entry)]
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
    assert workflow["jobs"]["wheel"]["strategy"]["matrix"]["python"] == allowed
    for name in ("ci.yml", "nightly.yml"):
        read = yaml.safe_load((ROOT / ".github" / "workflows" / name).read_text(encoding="utf-8"))
        assert read["permissions"] == {"contents": "read"}


def test_the_lock_has_versions_that_pyproject_allows() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = [project["dependencies"], *project["optional-dependencies"].values()]
    wanted = [Requirement(entry) for entries in asked for entry in entries if not entry.startswith("conspect[")]
    compared = 0
    for name in ("demo", "test", "dev"):
        text = (ROOT / "lock" / f"{name}.txt").read_text(encoding="utf-8")
        for locked, version in re.findall(r"^([\w.-]+)==([^ ;]+)", text, flags=re.MULTILINE):
            for requirement in (entry for entry in wanted if named(entry.name) == named(locked)):
                assert requirement.specifier.contains(version, prereleases=True), f"{name}: {locked} {version}"
                compared += 1
    assert compared > 60
