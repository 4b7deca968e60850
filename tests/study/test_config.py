from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conspect.adapters.datasets import KINDS, DataKind
from conspect.core.concepts import Concept
from conspect.core.diagnostics import UserError
from conspect.study import (
    ConceptsConfig,
    DataConfig,
    ModelConfig,
    Settings,
    Study,
    StudyConfig,
    VlmConfig,
    read_config,
)
from conspect.study.config import TEMPLATE

GOOD = '[data]\nkind = "image-folder"\ntrain = "a"\ntest = "b"\n[model]\nname = "demo-resnet"\n'


def read(tmp_path: Path, text: str) -> StudyConfig:
    (tmp_path / "study.toml").write_text(text, encoding="utf-8")
    return read_config(tmp_path / "study.toml")


def problems(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(UserError) as caught:
        read(tmp_path, text)
    assert {diagnostic.code for diagnostic in caught.value.diagnostics} == {"STUDY002"}
    return [f"{diagnostic.problem} | {diagnostic.fix}" for diagnostic in caught.value.diagnostics]


def test_the_template_is_a_configuration_and_its_comments_are_too(tmp_path: Path) -> None:
    plain = read(tmp_path, TEMPLATE)
    assert plain == StudyConfig(
        data=DataConfig("image-folder", "images/train", "images/test"), model=ModelConfig("demo-resnet")
    )
    lines = [line.removeprefix("# ") for line in TEMPLATE.splitlines()[3:] if not line.startswith("# path")]
    full = read(tmp_path, "\n".join(line for line in lines if line[:1] in "[" or " = " in line))
    assert full.data.images == 4000
    assert full.data.alignment_images == 10000
    assert full.concepts == ConceptsConfig("concepts.toml", "t.csv")


def test_all_mistakes_are_told_at_once_with_suggestions(tmp_path: Path) -> None:
    mistakes = problems(
        tmp_path,
        '[data]\nkind = "folder"\ntrian = "a"\nimages = -3\n[modle]\nname = "x"\n[settings]\nseed = true\nconfidence = 1\n',
    )
    assert mistakes == [
        "[data] kind = 'folder' is not one of 'cifar10', 'cifar100', 'csv', 'huggingface', 'image-folder', 'parquet', "
        "'rival10', 'webdataset' | correct the value",
        "unknown key 'trian' in [data] | did you mean 'train'?",
        "[data] images = -3 is not a whole number >= 0 | correct the value",
        "unknown section [modle] | did you mean 'model'?",
        "[settings] seed = True is not a whole number >= 0 | correct the value",
        "[settings] confidence = 1 is not a number between 0 and 1 | correct the value",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[model]\nname = "x"\n', ["[data] train is missing", "[data] test is missing"]),
        (GOOD + 'path = "x"\n', ["[model] needs either name or path"]),
        (GOOD.replace('name = "demo-resnet"', ""), ["[model] needs either name or path"]),
        (GOOD + "name2 = 1\n", ["unknown key 'name2' in [model] | did you mean 'name'?"]),
        ("data = 3\n" + GOOD.replace("[data]", "[settings]"), ["unknown section [data]"]),
        (GOOD.replace('"a"', "[1]"), ["[data] train = [1] is not a text"]),
        (GOOD.replace("[model]", "slices = 3\n[model]"), ["[data] slices = 3 is not a list of texts"]),
        (GOOD.replace("[model]", 'hub = "x"\n[model]'), ['[data] hub is not used by kind = "image-folder"']),
        (GOOD.replace("image-folder", "rival10"), ["[data] directory is missing", "[data] train is not used"]),
        (GOOD.replace("image-folder", "huggingface"), ["[data] needs either directory or hub"]),
        (GOOD.replace("[model]", "streaming = 1\n[model]"), ["[data] streaming = 1 is not true or false"]),
    ],
)
def test_what_does_not_fit_together_is_told(tmp_path: Path, text: str, expected: list[str]) -> None:
    mistakes = problems(tmp_path, text)
    assert expected
    for beginning in expected:
        assert any(problem.startswith(beginning) for problem in mistakes)


@pytest.mark.parametrize("content", [b"[data\n", b"\xe4\xf6", b'a = "'])
def test_what_is_no_toml_is_one_error_with_the_place(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "study.toml").write_bytes(content)
    with pytest.raises(UserError, match=r"STUDY001.*study\.toml is not readable TOML"):
        Study.open(tmp_path)


def test_a_folder_without_study_toml_says_how_to_write_one(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"(?s)STUDY001.*conspect init"):
        Study.open(tmp_path)


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
OPTIONAL = st.none() | TEXTS
LISTS = st.lists(TEXTS, max_size=3).map(tuple)
COUNTS = st.none() | st.integers(0, 10**6)
VALUES = {
    **dict.fromkeys(("concept_columns", "classes"), LISTS),
    **dict.fromkeys(("streaming", "absolute_paths"), st.booleans()),
    "labels": st.sampled_from(("names", "numbers")),
}


def data_of(kind: DataKind) -> st.SearchStrategy[DataConfig]:
    """Configurations with the keys that a kind needs, and any of those that it takes."""
    needs = dict.fromkeys(KINDS[kind].needs, TEXTS)
    takes = {key: st.none() | VALUES.get(key, TEXTS) for key in KINDS[kind].takes}
    if kind == "huggingface":
        takes |= {"hub": TEXTS, "directory": st.none()}
    every = {"slices": st.none() | LISTS, "images": COUNTS, "alignment_images": COUNTS}
    return st.builds(DataConfig, kind=st.just(kind), **needs, **(takes | every))


CONFIGS = st.builds(
    StudyConfig,
    data=st.sampled_from(sorted(KINDS)).flatmap(data_of),  # type: ignore[arg-type]
    model=st.builds(ModelConfig, name=TEXTS) | st.builds(ModelConfig, path=TEXTS),
    vlm=st.builds(VlmConfig, name=TEXTS),
    concepts=st.builds(ConceptsConfig, file=OPTIONAL, class_attributes=OPTIONAL),
    settings=st.builds(
        Settings, seed=st.integers(0, 2**32), confidence=st.floats(0.001, 0.999), binarize_at=st.floats(0.001, 0.999)
    ),
)


@given(CONFIGS)
def test_a_configuration_is_written_so_that_it_reads_back(tmp_path_factory, config: StudyConfig) -> None:
    folder = tmp_path_factory.getbasetemp() / "round-trip"
    assert Study.create(folder, config).config == Study.open(folder).config == config


def test_a_concepts_file_may_be_short_or_full(folder: Path) -> None:
    (folder / "concepts.toml").write_text(
        '[concepts]\nred = ["red", "crimson"]\nblue = { unseen = "azure" }\n"two words" = { phrases = ["a {} b"] }\n'
    )
    (folder / "study.toml").write_text((folder / "study.toml").read_text().replace("class_attributes", "# "))
    inputs = Study.open(folder).inputs
    assert inputs.concepts.concepts == (
        Concept("red", ("red", "crimson")),
        Concept("blue", ("blue",)),
        Concept("two words", ("a {} b",)),
    )
    assert inputs.concepts.unseen_words == (("blue", "azure"),)
    assert inputs.concepts.class_templates == ("a photo of a {}", "{}")
    assert inputs.attributes is None


@pytest.mark.parametrize(
    "text",
    [
        "[concepts\n",
        "a = 1\n",
        "concepts = 1\n",
        "[concepts]\n",
        "[concepts]\nred = []\n",
        '[concepts]\nred = "red"\n',
        "[concepts]\nred = [1]\n",
        '[concepts]\nred = [" "]\n',
        'class_templates = ["no place for the word"]\n[concepts]\nred = ["red"]\n',
        'concept_templates = "{}"\n[concepts]\nred = ["red"]\n',
        "concept_templates = []\n[concepts]\nred = ['red']\n",
    ],
)
def test_a_malformed_concepts_file_is_refused(folder: Path, text: str) -> None:
    (folder / "concepts.toml").write_text(text)
    with pytest.raises(UserError, match=r"concepts\.toml: STUDY002"):
        _ = Study.open(folder).inputs


@pytest.mark.parametrize(
    "text",
    [
        "",
        "class,reddish\nred,1,1\n",
        "class,reddish,greenish,bluish,grey\nred,1,0,0,x\n",
        "class,reddish,greenish,bluish,grey\nred,1,0,0,0\n",
        "class,reddish\nred,1\ngreen,0\nblue,0\nyellow,0\n",
        "class,reddish,greenish,bluish,grey\nred,1,0,0,nan\ngreen,0,1,0,0\nblue,0,0,1,0\nyellow,0,0,0,0\n",
        "class,reddish,greenish,bluish,grey\nred,98,0,0,0\ngreen,0,1,0,0\nblue,0,0,1,0\nyellow,0,0,0,0\n",
    ],
)
def test_a_table_that_is_malformed_or_does_not_fit_is_refused(folder: Path, text: str) -> None:
    (folder / "attributes.csv").write_text(text)
    with pytest.raises(UserError, match=r"attributes\.csv(:\d+:1)?: (STUDY002|SPEC411)"):
        _ = Study.open(folder).inputs


def test_a_class_that_the_model_does_not_have_is_refused_by_name(folder: Path) -> None:
    (folder / "images/test/purple").mkdir()
    with pytest.raises(UserError, match="test images have classes that the model does not: purple"):
        _ = Study.open(folder).inputs


WORDS = "[data] [model] [[data]] [a.b] kind name images = \"x\" -1 1e400 nan true [ ] {} # é 1979-05-27 '''"
SCRAPS = st.sampled_from([*WORDS.split(), "\n", "\x00"])


@given(st.lists(SCRAPS, max_size=14))
def test_whatever_study_toml_holds_only_a_user_error_gets_out(tmp_path_factory, scraps: list[str]) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzzed.toml"
    path.write_text(" ".join(scraps), encoding="utf-8")
    try:
        config = read_config(path)
    except UserError:
        return
    assert isinstance(config, StudyConfig)
