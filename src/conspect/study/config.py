"""study.toml: what a study is asked to do, read strictly."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Literal, TypeAlias, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta

from conspect.adapters.datasets import DataSource
from conspect.adapters.datasets.views.changes import changes_misfits
from conspect.adapters.models import ModelSource
from conspect.adapters.vlms import VlmSource
from conspect.comparison.gate import Tolerances
from conspect.core.diagnostics import SourceLocation, UserError, user_error
from conspect.core.files import read_text
from conspect.core.toml import TomlValue, toml_table
from conspect.core.toml_entries import toml_string

# What file systems take: bytes of a name, characters of a path; and characters of a wrong value that a message shows.
LISTS_OF_FILES = ("files",)
LONGEST_NAME, LONGEST_PATH, LONGEST_SHOWN = 255, 4095, 200
# A type as a value: a class, or what typing makes of several.
TypeForm: TypeAlias = object
Count = Annotated[int, Meta(ge=0)]
OpenShare = Annotated[float, Meta(gt=0, lt=1)]
ClosedShare = Annotated[float, Meta(ge=0, le=1)]

TEMPLATE = """\
#:schema study.schema.json
# A Conspect study: one vision model, one lens (a VLM), one data set, one set of concepts. Run it: conspect run THIS_FOLDER
# Relative paths are relative to this file.

[data]
kind = "image-folder"          # images at FOLDER/class/name.jpg; seven other kinds are in docs/data.md
train = "images/train"         # the lens is aligned on these ...
test = "images/test"           # ... and everything that is reported is measured on these
# images = 4000                # use so many test images, drawn with the seed below (default: all)
# alignment_images = 10000     # and so many training images (default: all)
# slices = ["subfolder"]       # columns of metadata: how does the model do on each of their values?

[model]
name = "demo-resnet"           # torchvision, timm, transformers, ONNX, torch.export or your own: docs/models.md
# path = "model.safetensors"   # ... or from a local file
# reported_accuracy = 0.93     # what it is said to reach: the diagnosis says what was lost, and what would restore it

[vlm]
kind = "pocket"                # see `docs/pocket-vlm.md` for what it is good for, and what not; others: docs/models.md

[concepts]
# file = "concepts.toml"       # your own concepts and prompts (default: the demo's eighteen); the format is in docs/study.md
#                              # name what can be seen: text encoders hardly understand "no fur" or "without wheels"
# class_attributes = "t.csv"   # which share of a class carries which concept (default: the demo's table where classes fit)
#                              # without a table, or labels, nothing checks whether a concept is seen, and reports say so

[properties]
# files = ["my.cspec"]         # specifications to verify in every run; `conspect verify` decides others. Needs conspect[verify]

# [neighbourhoods]             # with this section every run says what ordinary changes of an image cannot break
# changes = ["mirror", "shift 1", "brightness 10%", "contrast 10%", "noise 1%"] # others: docs/study.md
# images = 1000                # so many images of each split are changed
# share = 0.9                  # a neighbourhood holds this share of the changed pictures

# [monitor]                    # with this section every run fits a monitor and compares it with other detectors
# false_alarms = 0.05          # at most this share of the right outputs is called suspect
# accepted_errors = 0.02       # and at most this share of the accepted outputs is wrong

# [gate]                       # what `conspect gate THIS_FOLDER --against BASELINE` lets pass
# accuracy = 0.01              # so much accuracy may be lost
# worst_class = 0.05           # and so much of any single class
# properties = 0               # so many properties may stop holding

[settings]
seed = 0
confidence = 0.95              # of every interval
binarize_at = 0.75             # the share at which the binarized heatmap is cut
# store = "s3://bucket/prefix" # where embeddings are kept (default: the folder embeddings beside this file)
"""


@dataclass(frozen=True)
class DataConfig(DataSource):
    """Where the images are, and how many of them are used."""

    images: Count | None = None
    alignment_images: Count | None = None


@dataclass(frozen=True)
class ModelConfig(ModelSource):
    """The model under study; `reported_accuracy`: what it is said to reach, which the diagnosis compares with what it does."""

    reported_accuracy: ClosedShare | None = None


@dataclass(frozen=True)
class VlmConfig(VlmSource):
    """The VLM."""


@dataclass(frozen=True)
class ConceptsConfig:
    """The concepts; None: the demo's."""

    file: str | None = None
    class_attributes: str | None = None


@dataclass(frozen=True)
class PropertiesConfig:
    """Con_spec files that every run verifies."""

    files: tuple[str, ...] = ()


@dataclass(frozen=True)
class NeighbourhoodsConfig:
    """Ordinary changes of images, of how many images of each split, and the share of pictures that neighbourhoods hold."""

    changes: tuple[str, ...] = ("mirror", "shift 1", "brightness 10%", "contrast 10%", "noise 1%")
    images: Count = 1000
    share: OpenShare = 0.9


@dataclass(frozen=True)
class MonitorConfig:
    """What the monitor is fitted on and what its thresholds must keep. Numbers of images (None: by the study's own); shares."""

    fit_images: Count | None = None
    calibration_images: Count | None = None
    vlm_images: Count | None = None
    attacked: Count = 300
    corrupted: Count = 500
    of_no_class: Count = 200
    false_alarms: OpenShare = 0.05
    accepted_errors: OpenShare = 0.02


@dataclass(frozen=True)
class GateConfig:
    """How much worse than a baseline the study may be: shares, and how many properties may stop holding."""

    accuracy: ClosedShare = 0.01
    worst_class: ClosedShare = 0.05
    properties: Count = 0
    coverage: ClosedShare | None = None
    accepted_errors: ClosedShare | None = None
    false_alarms: ClosedShare | None = None

    def tolerances(self) -> Tolerances:
        """The same for `conspect.comparison.gate`."""
        return Tolerances(**asdict(self))


@dataclass(frozen=True)
class Settings:
    """Numbers that shape the analyses."""

    seed: Count = 0
    confidence: OpenShare = 0.95
    binarize_at: OpenShare = 0.75
    store: str | None = None


@dataclass(frozen=True)
class StudyConfig:
    """A whole study.toml."""

    data: DataConfig = field(default_factory=DataConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    vlm: VlmConfig = field(default_factory=VlmConfig)
    concepts: ConceptsConfig = field(default_factory=ConceptsConfig)
    properties: PropertiesConfig = field(default_factory=PropertiesConfig)
    neighbourhoods: NeighbourhoodsConfig | None = None
    monitor: MonitorConfig | None = None
    gate: GateConfig | None = None
    settings: Settings = field(default_factory=Settings)

    def to_toml(self) -> str:
        """The file that reads back as this configuration."""
        lines = []
        for section, values in asdict(self).items():
            if values is None:
                continue
            lines.append(f"[{section}]")
            for key, value in values.items():
                if value is not None:
                    lines.append(f"{key} = {_toml_value(value)}")
            lines.append("")
        return "\n".join(lines)


Section: TypeAlias = (
    DataConfig
    | ModelConfig
    | VlmConfig
    | ConceptsConfig
    | PropertiesConfig
    | NeighbourhoodsConfig
    | MonitorConfig
    | GateConfig
    | Settings
)
# What a key may hold; which of these, its section says.
KeyValue: TypeAlias = bool | int | float | str | tuple[str, ...] | None
SECTIONS: dict[str, type] = {
    "data": DataConfig, "model": ModelConfig, "vlm": VlmConfig, "concepts": ConceptsConfig, "properties": PropertiesConfig,
    "neighbourhoods": NeighbourhoodsConfig, "monitor": MonitorConfig, "gate": GateConfig, "settings": Settings,
}  # fmt: skip


def read_config(path: Path) -> StudyConfig:
    """The configuration in `path`. Raises UserError STUDY001 (not readable) or STUDY002 (every wrong value at once)."""
    try:
        table = toml_table(read_text(path))
    except FileNotFoundError as error:
        raise user_error("STUDY001", f"there is no {path}", "write one with: conspect init DIR") from error
    except (OSError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise user_error("STUDY001", f"{path} is not readable TOML: {error}", "mend the line it names") from error
    problems: list[UserError] = []
    sections: dict[str, Section] = {}
    for name, values in table.items():
        if name not in SECTIONS or not isinstance(values, dict):
            problems.append(_wrong(path, f"unknown section [{name}]", name, tuple(SECTIONS)))
            continue
        sections[name] = _section(path, name, values, problems)
    if not problems:
        config = StudyConfig(**sections)  # type: ignore[arg-type]
        problems += _cross_checks(path, config)
    if problems:
        raise UserError(*(problem.diagnostics[0] for problem in problems))
    return config


def _section(path: Path, name: str, values: Mapping[str, TomlValue], problems: list[UserError]) -> Section:
    kinds = key_types(name)
    good: dict[str, KeyValue] = {}
    for key, value in values.items():
        if key not in kinds:
            problems.append(_wrong(path, f"unknown key {key!r} in [{name}]", key, tuple(kinds)))
            continue
        try:
            good[key] = msgspec.convert(value, kinds[key])
        except msgspec.ValidationError:
            problem = f"[{name}] {key} = {_shown(value)} is not {_expected(kinds[key])}"
            problems.append(user_error("STUDY002", problem, "correct the value", SourceLocation(str(path))))
            continue
        unusable = _unusable(good[key], files=isinstance(good[key], str) or key in LISTS_OF_FILES)
        if unusable is not None:
            problem = f"[{name}] {key} = {_shown(value)} {unusable}"
            problems.append(user_error("STUDY002", problem, "correct the value", SourceLocation(str(path))))
    section: Section = SECTIONS[name](**good)
    return section


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."


def _unusable(value: object, *, files: bool = True) -> str | None:
    """Why no file system takes a text, which may name a file; None for one that it takes. Texts of lists name `files` or not."""
    if isinstance(value, tuple):
        return next((why for entry in value if (why := _unusable(entry, files=files)) is not None), None)
    if not isinstance(value, str):
        return None
    if "\0" in value:
        return "holds a null character"
    if not files:
        return None
    parts = value.encode("utf-8", "surrogatepass").split(b"/")
    if max(map(len, parts)) > LONGEST_NAME or len(value) > LONGEST_PATH:
        return f"is longer than any file's name, which has at most {LONGEST_NAME} bytes"
    return None


def key_types(section: str) -> dict[str, TypeForm]:
    """The keys of a section with their types."""
    hints = get_type_hints(SECTIONS[section], include_extras=True)
    return {field.name: hints[field.name] for field in fields(SECTIONS[section])}


def _expected(kind: TypeForm) -> str:
    """What a value of the type is, in words."""
    if kind == tuple[str, ...] | str | None:
        return "a list of texts, or the name of a file"
    if get_origin(kind) in {UnionType, Union}:
        return ", or ".join(_expected(part) for part in get_args(kind) if part is not NoneType)
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(repr(name) for name in get_args(kind))
    if get_origin(kind) is Annotated:
        return "a whole number >= 0" if get_args(kind)[0] is int else "a number between 0 and 1"
    if get_origin(kind) is tuple:
        return "a list of texts"
    return "true or false" if kind is bool else "a text"


def _cross_checks(path: Path, config: StudyConfig) -> list[UserError]:
    place = SourceLocation(str(path))
    pairs = [*config.data.misfits(), *config.model.misfits(), *config.vlm.misfits()]
    problems = [user_error("STUDY002", problem, fix, place) for problem, fix in pairs]
    if config.neighbourhoods is not None:
        wrong = (
            diagnostic for name in changes_misfits(config.neighbourhoods.changes) for diagnostic in name.diagnostics
        )
        problems += [user_error(mistake.code, mistake.problem, mistake.fix, place) for mistake in wrong]
    return problems


def _wrong(path: Path, problem: str, given: str, known: tuple[str, ...]) -> UserError:
    close = difflib.get_close_matches(given, known, n=1)
    fix = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}"
    return user_error("STUDY002", problem, fix, SourceLocation(str(path)))


def _toml_value(value: object) -> str:
    if isinstance(value, tuple | list):
        return "[" + ", ".join(toml_string(str(entry)) for entry in value) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return toml_string(value) if isinstance(value, str) else str(value)
