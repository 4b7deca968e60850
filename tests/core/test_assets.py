import csv

from conspect.adapters.datasets.cifar10 import CLASS_NAMES
from conspect.assets import demo_class_attributes, demo_concepts
from tests.documentation import PACKAGE

ASSETS = PACKAGE / "assets"


def test_the_demo_has_the_eighteen_concepts_of_rival10_and_cifar10s_classes() -> None:
    concepts, table = demo_concepts(), demo_class_attributes()
    words = (
        "long-snout wings wheels text horns floppy-ears ears colored-eyes tail mane beak hairy metallic rectangular wet "
        "long tall patterned"
    )
    assert set(concepts.names) == set(words.split())
    assert set(table.class_names) == set(CLASS_NAMES)
    aligned = table.aligned_to(CLASS_NAMES, concepts.names)
    assert aligned.shares.shape == (10, 18)
    assert aligned.shares[CLASS_NAMES.index("truck"), concepts.names.index("wheels")] == 0.93
    assert aligned.shares[CLASS_NAMES.index("frog"), concepts.names.index("wet")] == 0.83
    assert ((aligned.shares >= 0) & (aligned.shares <= 1)).all()


def test_the_table_is_rectangular() -> None:
    lines = [line for line in (ASSETS / "class_attributes.csv").read_text().splitlines() if not line.startswith("#")]
    assert {len(row) for row in csv.reader(lines)} == {19}


def test_no_training_caption_contains_an_unseen_word() -> None:
    concepts = demo_concepts()
    assert {name for name, _ in concepts.unseen_words} == set(concepts.names)
    phrases = [phrase for concept in concepts.concepts for phrase in concept.phrases] + list(CLASS_NAMES)
    captions = " ".join([*phrases, *concepts.concept_templates, *concepts.class_templates]).lower().split()
    unseen = {word for _, phrase in concepts.unseen_words for word in phrase.lower().split()}
    assert unseen & set(captions) == set()


def test_the_shipped_weights_are_as_small_as_promised() -> None:
    sizes = {path.name: path.stat().st_size for path in ASSETS.glob("*.safetensors")}
    assert len(sizes) >= 2
    assert max(sizes.values()) <= 4_000_000
