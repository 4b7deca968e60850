"""What is saved is what is loaded, and what does not fit is refused by name."""

import json
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load, save

from conspect.core.diagnostics import OutsideError
from conspect.core.digests import digest_bytes
from conspect.monitor.runtime import Monitor, Thresholds
from conspect.monitor.runtime.header import header_of
from conspect.monitor.runtime.storage import ARRAYS_FILE, JSON_FILE, read_guarantee
from tests.monitor.fitted import TEST, monitor_and_guarantee

MONITOR, GUARANTEE = monitor_and_guarantee()


@pytest.fixture
def folder(tmp_path):
    MONITOR.save(tmp_path / "m", guarantee=GUARANTEE)
    return tmp_path / "m"


def test_a_loaded_monitor_decides_to_the_bit_as_the_saved_one(folder):
    loaded = Monitor.load(folder)
    expected = MONITOR.check(TEST.inputs.embeddings, TEST.inputs.logits)
    decisions = loaded.check(TEST.inputs.embeddings, TEST.inputs.logits)
    assert (decisions.suspicion == expected.suspicion).all()
    assert (decisions.verdicts == expected.verdicts).all()
    assert loaded.reasons(TEST.inputs.embeddings[0], 1) == MONITOR.reasons(TEST.inputs.embeddings[0], 1)
    assert (loaded.reference == MONITOR.reference).all()
    assert sorted(path.name for path in folder.iterdir()) == [JSON_FILE, ARRAYS_FILE]
    assert json.loads((folder / JSON_FILE).read_text())["guarantee"]["wanted"]["false_alarms"] == 0.1


def test_the_advice_of_a_monitor_that_accepts_nothing_survives(tmp_path):
    kept = replace(GUARANTEE, accepts=False, needed=4_000)
    MONITOR.save(tmp_path, guarantee=kept)
    again = read_guarantee(tmp_path)
    assert again == kept
    assert "You need about 4,000 of them" in " ".join(kept.sentences())


def test_infinite_thresholds_survive(tmp_path):
    replace(MONITOR, thresholds=Thresholds(-np.inf, np.inf)).save(tmp_path)
    assert Monitor.load(tmp_path).thresholds == Thresholds(-np.inf, np.inf)


def test_arrays_in_another_memory_order_survive(tmp_path):
    turned = replace(MONITOR, reference=np.asfortranarray(MONITOR.reference))
    turned.save(tmp_path)
    assert (Monitor.load(tmp_path).reference == MONITOR.reference).all()


def edit(folder, **changes):
    about = json.loads((folder / JSON_FILE).read_text())
    (folder / JSON_FILE).write_text(json.dumps(about | changes))


def swap_arrays(folder, change):
    arrays = load((folder / ARRAYS_FILE).read_bytes())
    change(arrays)
    content = save(arrays)
    (folder / ARRAYS_FILE).write_bytes(content)
    edit(folder, sha256=digest_bytes(content))


def poison(arrays):
    arrays["weight"][0, 0] = np.nan


HOSTILE = {
    "another version": lambda f: edit(f, version=1),
    "another format": lambda f: edit(f, format="pickle"),
    "other features": lambda f: edit(f, features=["one"]),
    "no names": lambda f: edit(f, classes=[]),
    "no concepts": lambda f: edit(f, concepts=[]),
    "names of another kind": lambda f: edit(f, concepts=[1, 2]),
    "one class too many": lambda f: edit(f, classes=["a", "b", "c", "d", "e"]),
    "no thresholds": lambda f: edit(f, thresholds=None),
    "thresholds as text": lambda f: edit(f, thresholds={"accept": "x", "suspect": 1}),
    "thresholds in the wrong order": lambda f: edit(f, thresholds={"accept": 2, "suspect": 1}),
    "a wrong digest": lambda f: edit(f, sha256="0" * 64),
    "not JSON": lambda f: (f / JSON_FILE).write_bytes(b"\x80\x04K\x01."),
    "a JSON list": lambda f: (f / JSON_FILE).write_text("[]"),
    "deep JSON": lambda f: (f / JSON_FILE).write_text("[" * 100_000),
    "JSON missing": lambda f: (f / JSON_FILE).unlink(),
    "arrays missing": lambda f: (f / ARRAYS_FILE).unlink(),
    "arrays cut short": lambda f: (f / ARRAYS_FILE).write_bytes((f / ARRAYS_FILE).read_bytes()[:-9]),
    "an array missing": lambda f: swap_arrays(f, lambda a: a.pop("bias")),
    "an array too many": lambda f: swap_arrays(f, lambda a: a.update(extra=np.zeros(1, np.float32))),
    "an array of another shape": lambda f: swap_arrays(f, lambda a: a.update(bias=np.zeros(9, np.float32))),
    "an array of another type": lambda f: swap_arrays(f, lambda a: a.update(bias=np.zeros(4))),
    "a scalar for an array": lambda f: swap_arrays(f, lambda a: a.update(whitening=np.array(1, dtype=np.float32))),
    "NaN in the arrays": lambda f: swap_arrays(f, poison),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_folders_are_refused(folder, name):
    HOSTILE[name](folder)
    with pytest.raises(OutsideError, match="MONITOR004"):
        Monitor.load(folder)


@pytest.mark.parametrize("missing", ["classes", "concepts"])
def test_a_header_without_names_says_so(folder, missing):
    about = json.loads((folder / JSON_FILE).read_text())
    with pytest.raises(ValueError, match="classes and concepts are lists of names"):
        header_of(about | {missing: []})
    assert header_of(about).concepts == MONITOR.concept_names


def test_arrays_that_are_no_safetensors_are_refused_even_with_the_right_digest(folder):
    (folder / ARRAYS_FILE).write_bytes(b"garbage")
    edit(folder, sha256=digest_bytes(b"garbage"))
    with pytest.raises(OutsideError, match="MONITOR004"):
        Monitor.load(folder)


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutsideError, match="MONITOR004"):
        MONITOR.save(tmp_path / "file")
