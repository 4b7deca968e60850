import csv
from collections import Counter

import numpy as np

from conspect.adapters.datasets.cifar10 import CLASS_NAMES
from conspect.assets import demo_class_attributes, demo_concepts, demo_labels_by_eye
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


def test_the_labels_by_eye_are_of_the_demos_concepts_and_images_and_say_what_is_unsure() -> None:
    labels = demo_labels_by_eye()
    assert {label.class_name for label in labels} == set(CLASS_NAMES)
    concepts = {label.concept for label in labels}
    assert concepts <= set(demo_concepts().names)
    assert len(concepts) >= 6
    assert Counter((label.class_name, label.concept, label.row) for label in labels).most_common(1)[0][1] == 1
    assert len({label.row for label in labels}) == 480
    assert all(0 <= label.row < 10_000 for label in labels)
    unsure = sum(label.shown is None for label in labels)
    assert 0.1 < unsure / len(labels) < 0.5
    for concept in concepts:
        known = Counter(label.shown for label in labels if label.concept == concept)
        assert min(known[True], known[False]) >= 5, concept


def test_the_sheets_of_the_demo_hold_the_images_that_it_draws_first() -> None:
    order = np.random.default_rng(0).permutation(10_000)
    place = np.argsort(order)
    last: dict[str, int] = {}
    for label in demo_labels_by_eye():
        last[label.class_name] = max(last.get(label.class_name, 0), int(place[label.row]))
    assert set(last) == set(CLASS_NAMES)
    assert min(last.values()) > 300
    assert max(last.values()) < 700
