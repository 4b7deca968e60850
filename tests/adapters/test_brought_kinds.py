"""The contract: what docs/robustness.md promises of each kind of thing that people bring, over every adapter and reader.

A kind is one line of the table there. Each test makes its own small input; an adapter or reader that cannot meet a kind is
named with the reason in `CANNOT`, and a test holds the list against what there is.
"""

import io
import json
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")
pytest.importorskip("onnxruntime")
from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from conspect.adapters import models as model_adapters  # noqa: E402
from conspect.adapters.datasets import KINDS as DATA_KINDS  # noqa: E402
from conspect.adapters.datasets.arrays import ArrayDataset  # noqa: E402
from conspect.adapters.datasets.maite import from_maite  # noqa: E402
from conspect.adapters.preprocessing import read_preprocessing  # noqa: E402
from conspect.adapters.runtimes.weights import load_weights  # noqa: E402
from conspect.bench.monitor import synthetic_monitor  # noqa: E402
from conspect.core.capabilities import omissions_of  # noqa: E402
from conspect.core.diagnostics import UserError  # noqa: E402
from conspect.core.protocols import UnreadableImage  # noqa: E402
from conspect.core.statements import statement_of  # noqa: E402
from conspect.monitor.runtime import Monitor  # noqa: E402
from conspect.monitor.runtime.identity import Identity  # noqa: E402
from tests.adapters.brought import MODELS, PREPARATION, batch, names, raw, read  # noqa: E402
from tests.adapters.data_layouts import CLASSES, LAYOUTS, Picture, pictures  # noqa: E402

EVERY, TORCH = tuple(MODELS), ("torch", "module")
FILES = tuple(kind for kind in LAYOUTS if kind != "rival10")
TABLES = tuple(kind for kind in FILES if kind != "image-folder")
NEEDS = {
    "parquet": "pyarrow",
    "huggingface": "datasets",
    "huggingface, streamed": "datasets",
    "webdataset": "webdataset",
}
CANNOT = {
    "rival10": "one published data set in one layout, read by its file names",
    "cifar10": "one published data set, checked by digest",
    "cifar100": "one published data set in one layout",
    "conspect": "this project's own network, read from its own safetensors",
    "timm": "hands its network to torch_model", "torchvision": "hands its network to torch_model",
    "transformers": "hands its network to torch_model",
}  # fmt: skip


def ready(kind: str) -> None:
    if kind in NEEDS:
        pytest.importorskip(NEEDS[kind])


def body(channels: int = 3) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, 8, 3, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())


class Ends(nn.Module):
    """A body, a linear layer, and what is made of features and logits."""

    def __init__(self, end: Callable[[Any, Any], Any], classes: int = 3, channels: int = 3) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body, self.fc, self.end = body(channels), nn.Linear(8, classes), end

    def forward(self, x: Any) -> Any:
        features = self.body(x)
        return self.end(features, self.fc(features))


class Shifted(nn.Module):
    """One state dict, and a constant that no state dict has."""

    def __init__(self, offset: float) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body, self.fc, self.offset = body(), nn.Linear(8, 3), offset

    def forward(self, x: Any) -> Any:
        return self.fc(self.body(x - self.offset))


class Cosine(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body, self.weight = body(), nn.Parameter(torch.randn(3, 8))

    def forward(self, x: Any) -> Any:
        return 16 * functional.linear(functional.normalize(self.body(x)), functional.normalize(self.weight))


class Bytes(nn.Module):
    """Takes uint8 with the channels last and scales itself, as deployed graphs do."""

    takes, kind = (16, 16, 3), torch.uint8

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.inner = Ends(lambda _, z: z)

    def forward(self, x: Any) -> Any:
        return self.inner(x.permute(0, 3, 1, 2).to(torch.float32) / 255)


def plain(classes: int = 3, channels: int = 3) -> nn.Module:
    return Ends(lambda _, z: z, classes, channels).eval()


# 1 A digest covers the function --------------------------------------------------------------------


@pytest.mark.parametrize("adapter", EVERY)
def test_1_a_digest_covers_the_function_and_comes_out_again(adapter: str, tmp_path: Path) -> None:
    digests = [
        MODELS[adapter](Shifted(offset).eval(), tmp_path / str(k), 3).digest for k, offset in enumerate((0.9, 0.0, 0.9))
    ]
    assert digests[0] != digests[1]
    assert digests[0] == digests[2]


@pytest.mark.parametrize("adapter", EVERY)
def test_1_a_digest_covers_the_preprocessing(adapter: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = MODELS[adapter](plain(), tmp_path / "a", 3).digest
    monkeypatch.setattr("tests.adapters.brought.PREPARATION", PREPARATION | {"resample": 3})
    monkeypatch.setattr("tests.adapters.brought.STEPS", read_preprocessing(tmp_written(tmp_path, {"resample": 3})))
    assert MODELS[adapter](plain(), tmp_path / "b", 3).digest != first


def tmp_written(folder: Path, changes: dict[str, Any]) -> Path:
    path = folder / "steps.json"
    path.write_text(json.dumps(PREPARATION | changes))
    return path


# 2 A monitor belongs to one model ------------------------------------------------------------------


@pytest.mark.parametrize("adapter", EVERY)
def test_2_a_monitor_of_another_model_of_the_same_shape_is_refused(adapter: str, tmp_path: Path) -> None:
    own, other = (MODELS[adapter](Shifted(offset).eval(), tmp_path / str(offset), 3) for offset in (0.0, 0.9))
    identity = Identity.of(own, batch(own, 1)[0], "lens")
    from dataclasses import replace

    # The synthetic monitor has classes of its own.
    replace(synthetic_monitor(dimension=8)[0], identity=replace(identity, probe_logits=None)).save(tmp_path / "monitor")
    Monitor.load(tmp_path / "monitor", model=own, lens_digest="lens")
    with pytest.raises(UserError, match="MONITOR007"):
        Monitor.load(tmp_path / "monitor", model=other)
    with pytest.raises(UserError, match="MONITOR007"):
        Monitor.load(tmp_path / "monitor", model=own, lens_digest="another")


# 3 Value range and layout --------------------------------------------------------------------------


def file_of(pixels: np.ndarray[Any, Any], kind: str) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, kind)
    return out.getvalue()


STRANGE = {
    "a TIFF of floats": lambda: file_of(np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8), "TIFF"),
    "a TIFF of 32-bit integers": lambda: file_of(np.arange(64, dtype=np.int32).reshape(8, 8), "TIFF"),
}


@pytest.mark.parametrize("strange", STRANGE)
@pytest.mark.parametrize("kind", FILES)
def test_3_samples_that_do_not_say_what_is_white_are_listed_and_never_black(
    kind: str, strange: str, tmp_path: Path
) -> None:
    ready(kind)
    some = pictures(4)
    some[0] = raw(some[0], STRANGE[strange]())
    data = read(kind, tmp_path, some)
    with pytest.raises(UnreadableImage, match="do not say which value is white"):
        data.image(next(row for row, name in enumerate(data.ids) if some[0].name in name))


@pytest.mark.parametrize("kind", FILES)
def test_3_sixteen_bits_are_read_to_the_value(kind: str, tmp_path: Path) -> None:
    ready(kind)
    some = pictures(4)
    some[0] = raw(some[0], file_of(np.full((8, 8), 257 * 200, dtype=np.uint16), "PNG"))
    data = read(kind, tmp_path, some)
    assert any(np.array_equal(data.image(row), np.full((8, 8, 3), 200, np.uint8)) for row in range(len(data)))


PIXELS = np.random.default_rng(0).random((4, 3, 8, 8))
ARRAYS: dict[str, Any] = {
    "floats of 0..1": PIXELS.transpose(0, 2, 3, 1).astype(np.float32),
    "channels first": (PIXELS * 255).astype(np.uint8),
    "32-bit integers": (PIXELS.transpose(0, 2, 3, 1) * 255).astype(np.int32),
    "grey": (PIXELS[:, 0] * 255).astype(np.uint8),
    "beyond the range": (PIXELS.transpose(0, 2, 3, 1) * 4095).astype(np.uint16),
    "four channels": np.zeros((4, 8, 8, 4), np.uint8),
}


@pytest.mark.parametrize("strange", ARRAYS)
def test_3_arrays_of_another_range_type_or_layout_are_refused_with_what_to_do(strange: str) -> None:
    with pytest.raises(UserError, match=r"DATA007: pixels of 'a' are"):
        ArrayDataset("a", "test", CLASSES, tuple("abcd"), np.array([0, 1, 0, 1]), ARRAYS[strange])


class Items:
    """A MAITE data set of these pixels."""

    def __init__(self, pixels: Any) -> None:
        self.pixels, self.metadata = pixels, {"id": "items", "index2label": {0: "cat", 1: "dog"}}

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: int) -> Any:
        return self.pixels[index], np.eye(2)[index % 2], {"id": index}


def test_3_maite_whole_numbers_up_to_1_are_asked_about() -> None:
    pixels = np.random.default_rng(0).integers(0, 2, (4, 3, 8, 8), dtype=np.uint8)
    with pytest.raises(UserError, match="DATA007: images are uint8, from 0 to 1: which value is white"):
        from_maite(Items(pixels), split="test")
    assert from_maite(Items(pixels), split="test", white=1).image(0).max() == 255


def test_3_maite_floats_are_scaled_and_another_white_is_another_digest() -> None:
    dataset = from_maite(Items(PIXELS.astype(np.float32)), split="test")
    assert dataset.image(0).mean() > 100
    assert from_maite(Items(PIXELS.astype(np.float32)), split="test", white=1).digest != dataset.digest


# 4 Preprocessing: tests/adapters/test_preprocessing.py, by value against transformers --------------


@pytest.mark.parametrize("adapter", [name for name in EVERY if name != "torch"])
@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"image_processor_type": "MyOwnImageProcessor"}, "is not known here"),
        ({"size": 224}, "shorter edge of some processors"),
        ({"size": {"height": 16, "width": 16}, "do_reduce_labels": True, "do_pad": True}, "do_pad"),
    ],
)
def test_4_a_preprocessing_that_is_unclear_is_refused_by_every_adapter(
    adapter: str, changes: dict[str, Any], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.adapters.brought.PREPARATION", PREPARATION | changes)
    with pytest.raises(UserError, match=f"MODEL002.*{told}"):
        MODELS[adapter](plain(), tmp_path, 3)


# 5, 6 Keys, names, labels --------------------------------------------------------------------------


@pytest.mark.parametrize("kind", TABLES)
def test_5_an_id_twice_is_refused_by_name(kind: str, tmp_path: Path) -> None:
    ready(kind)
    some = pictures(4)
    some[2] = Picture(some[0].name, some[2].label, some[2].pixels)
    with pytest.raises(UserError, match=f"DATA007.*{some[0].name}"):
        read(kind, tmp_path, some)


@pytest.mark.parametrize("kind", TABLES)
def test_6_two_classes_of_one_name_are_refused(kind: str, tmp_path: Path) -> None:
    ready(kind)
    with pytest.raises(UserError, match=r"(DATA007|MODEL002).*'cat'"):
        read(kind, tmp_path, pictures(4), classes=("cat", "dog", "cat"))


@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.parametrize("rows", [(0, 1, 2), (1, 2)], ids=["all classes", "one is missing in this split"])
def test_6_numbers_that_are_names_too_are_refused_whatever_the_split_holds(
    kind: str, rows: tuple[int, ...], tmp_path: Path
) -> None:
    ready(kind)
    some = [Picture(f"i{row}", str(row), pictures(1)[0].pixels) for row in rows]
    with pytest.raises(UserError, match=r"DATA007.*by name.*counted from 0"):
        read(kind, tmp_path, some, classes=("1", "2", "3"))
    assert read(kind, tmp_path / "said", some, classes=("1", "2", "3"), labels="numbers").labels.tolist() == list(rows)


@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.parametrize("label", ["9" * 5000, "fox", "1e999", "\N{ARABIC-INDIC DIGIT ONE}"])
def test_6_a_label_that_is_no_class_is_refused_at_its_row(kind: str, label: str, tmp_path: Path) -> None:
    ready(kind)
    some = pictures(4)
    some[1] = Picture("x", label, some[1].pixels)
    with pytest.raises(UserError, match=r"DATA007: sample 'x' of" if kind == "webdataset" else r"DATA007: row \d"):
        read(kind, tmp_path, some, classes=CLASSES)


@pytest.mark.parametrize("kind", TABLES)
def test_6_names_of_one_look_are_one_class(kind: str, tmp_path: Path) -> None:
    ready(kind)
    spelled = [unicodedata.normalize(form, "Käfer") for form in ("NFC", "NFD")]
    some = [Picture(f"i{row}", label, pictures(1)[0].pixels) for row, label in enumerate((*spelled, "Ameise"))]
    dataset = read(kind, tmp_path, some, classes=(spelled[1], "Ameise"))
    assert dataset.class_names == (spelled[0], "Ameise")
    assert dataset.labels.tolist() == [0, 0, 1]


@pytest.mark.parametrize("kind", TABLES)
def test_6_labels_that_seem_to_be_counted_from_1_are_told_so(kind: str, tmp_path: Path) -> None:
    ready(kind)
    some = [Picture(f"i{row}", str(row), pictures(1)[0].pixels) for row in (1, 2, 3)]
    with pytest.raises(UserError, match=r"(?s)DATA007.*'3'.*counted from 1: subtract 1"):
        read(kind, tmp_path, some, classes=("ant", "bee", "cow"))


@pytest.mark.parametrize("kind", ["huggingface", "huggingface, streamed"])
def test_6_a_data_sets_own_names_are_not_exchanged_by_the_studys(kind: str, tmp_path: Path) -> None:
    ready(kind)
    with pytest.raises(UserError, match=r"DATA007: 0 in 'label' is 'cat' by the data set's own names, and 'dog' in"):
        read(kind, tmp_path / "a", pictures(4), classes=("dog", "cat"))
    assert read(kind, tmp_path / "b", pictures(4), classes=CLASSES).labels.tolist() == [0, 1, 0, 1]
    assert read(kind, tmp_path / "c", pictures(4), classes=("Katze", "Hund")).class_names == ("Katze", "Hund")


# 7 What is left out --------------------------------------------------------------------------------


def test_7_a_folder_counts_and_names_what_it_leaves_out(tmp_path: Path) -> None:
    read("image-folder", tmp_path, pictures(4))
    inside = tmp_path / "images" / "cat"
    for name in ("a.HEIC", "b", "._c.png", "Thumbs.db"):
        (inside / name).write_bytes(b"x")
    for name in ("@eaDir", "__MACOSX", "lost+found"):
        (tmp_path / "images" / name).mkdir()
    (inside / "loop").symlink_to(inside)
    told = " | ".join(omissions_of(read("image-folder", tmp_path, pictures(4))))
    for name in ("a.HEIC", "._c.png", "Thumbs.db", "@eaDir", "__MACOSX", "lost+found", "loop"):
        assert name in told or "..." in told
    assert "(.heic 1, none 1)" in told


def test_7_a_shard_counts_and_names_what_it_leaves_out(tmp_path: Path) -> None:
    import tarfile

    ready("webdataset")
    read("webdataset", tmp_path, pictures(4))
    with tarfile.open(tmp_path / "shards" / "000.tar", "a") as archive:
        archive.addfile(tarfile.TarInfo("README.md"))
    from conspect.adapters.datasets import DataSource, open_split

    source = DataSource("webdataset", "shards", "shards", classes=CLASSES)
    assert "README" in omissions_of(open_split(source, "test", folder=tmp_path, cache=tmp_path))[0]


# 8 A function of one image -------------------------------------------------------------------------


class Mixes(nn.Module):
    """Takes away the mean over the batch."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = Ends(lambda _, z: z)

    def forward(self, x: Any) -> Any:
        return self.inner(x - x.mean(0, keepdim=True))


class Noise(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = Ends(lambda _, z: z)

    def forward(self, x: Any) -> Any:
        return self.inner(x + torch.rand_like(x))


@pytest.mark.parametrize("adapter", EVERY)
@pytest.mark.parametrize(
    ("network", "told"), [(Mixes, "depends on the other images"), (Noise, "other values each time")]
)
def test_8_what_is_no_function_of_one_image_is_refused(adapter: str, network: Any, told: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"MODEL002: brought is not a function of one image.*{told}"):
        MODELS[adapter](network().eval(), tmp_path, 3)


@pytest.mark.parametrize("adapter", EVERY)
def test_8_a_batch_of_one_gives_what_a_batch_gives(adapter: str, tmp_path: Path) -> None:
    model = MODELS[adapter](plain(), tmp_path, 3)
    images = batch(model)
    alone = np.concatenate([model.embed(images[row : row + 1]) for row in range(len(images))])
    np.testing.assert_allclose(alone, model.embed(images), atol=1e-5)


@pytest.mark.parametrize("adapter", EVERY)
def test_8_a_network_that_writes_into_its_input_is_given_copies(adapter: str, tmp_path: Path) -> None:
    class InPlace(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = Ends(lambda _, z: z)

        def forward(self, x: Any) -> Any:
            return self.inner(x.sub_(0.4).mul_(2.0))

    model = MODELS[adapter](InPlace().eval(), tmp_path, 3)
    images = batch(model)
    before = images.copy()
    wanted = Ends(lambda _, z: z).eval()((torch.tensor(images) - 0.4) * 2).detach().numpy()
    np.testing.assert_allclose(model.head.logits(model.embed(images)), wanted, atol=1e-4)
    assert np.array_equal(images, before)


@pytest.mark.parametrize("adapter", [*TORCH, "onnx"])  # torch.export itself refuses `squeeze()` of a batch of any size
@pytest.mark.parametrize("classes", [1, 3])
def test_8_a_network_that_squeezes_its_output_takes_a_batch_of_one(adapter: str, classes: int, tmp_path: Path) -> None:
    network = Ends(lambda _, z: z.squeeze(), classes).eval()
    model = MODELS[adapter](network, tmp_path, max(classes, 2))
    images = batch(model)
    alone = np.concatenate([model.embed(images[row : row + 1]) for row in range(len(images))])
    np.testing.assert_allclose(alone, model.embed(images), atol=1e-5)


@pytest.mark.parametrize("adapter", EVERY)
def test_8_what_mixes_a_batch_after_the_head_is_told_as_that(adapter: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"MODEL002: brought is not a function of one image.*other images of the batch"):
        MODELS[adapter](Ends(lambda _, z: z - z.mean()).eval(), tmp_path, 3)


@pytest.mark.parametrize("adapter", EVERY)
def test_8_values_that_are_not_finite_are_told_as_that(adapter: str, tmp_path: Path) -> None:
    network = Ends(lambda _, z: z).eval()
    with torch.no_grad():
        network.fc.weight[1, 2] = torch.nan
    with pytest.raises(UserError, match="MODEL002: brought gives values that are not finite, for 4 of 4 probe images"):
        MODELS[adapter](network, tmp_path, 3)


# 9 A name must mean a picture ----------------------------------------------------------------------

POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 20 20\n%%EndComments\n{ 1 pop } loop\n%%EOF\n"
NO_PICTURES = {
    "PostScript": POSTSCRIPT,
    "an MSP": b"LinS" + bytes(60),
    "a FITS": b"SIMPLE  =                    T" + bytes(2900),
    "a GIF's beginning": b"GIF89a",
    "an SVG": b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    "a WMF": b"\xd7\xcd\xc6\x9a" + bytes(80),
}


@pytest.mark.parametrize("content", NO_PICTURES)
@pytest.mark.parametrize("kind", FILES)
def test_9_what_is_no_picture_is_unreadable_and_no_other_program_is_started(
    kind: str, content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import subprocess

    ready(kind)

    def started(*call: object, **_: object) -> None:
        raise AssertionError(f"a program was started: {call}")

    some = pictures(4)
    some[2] = raw(some[2], NO_PICTURES[content])
    data = read(kind, tmp_path, some)
    monkeypatch.setattr(subprocess, "Popen", started)
    unread = []
    for row in range(len(data)):
        try:
            data.image(row)
        except UnreadableImage:
            unread.append(row)
    assert len(unread) == 1


# 10 The first call is guarded ----------------------------------------------------------------------


class Flat(nn.Module):
    """A linear layer on all pixels, which takes any order of the axes and gives another output for each."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.hidden, self.fc = nn.Linear(3 * 16 * 16, 8), nn.Linear(8, 3)

    def forward(self, x: Any) -> Any:
        return self.fc(torch.relu(self.hidden(x.reshape(-1, 768))))


class Last(nn.Module):
    """Takes the channels last."""

    def __init__(self, channels: int = 3) -> None:
        super().__init__()
        self.inner, self.takes = Ends(lambda _, z: z, channels=channels), (16, 16, channels)

    def forward(self, x: Any) -> Any:
        return self.inner(x.permute(0, 3, 1, 2))


def with_free_axes(folder: Path, *free: int) -> None:
    """The exported graph, whose input says nothing of these axes."""
    import onnx

    model = onnx.load(folder / "model.onnx")
    for axis in free or (0, 1, 2, 3):
        model.graph.input[0].type.tensor_type.shape.dim[axis].dim_param = f"axis {axis}"
    (folder / "model.onnx").write_bytes(model.SerializeToString())


def opened_free(network: nn.Module, folder: Path, *free: int) -> Any:
    MODELS["onnx"](network.eval(), folder, 3)
    with_free_axes(folder, *free)
    return model_adapters.load_model(None, folder, kind="onnx", classes=names(3), title="brought")


@pytest.mark.parametrize("channels", [3, 1])
@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("free", [(), (0, 1), (0, 3), (0, 1, 3)])
def test_10_free_axes_are_found_out_by_trying(last: bool, channels: int, free: Any, tmp_path: Path) -> None:
    network: nn.Module = Last(channels) if last else Grey() if channels == 1 else plain()
    model = opened_free(network, tmp_path, *free)
    images = batch(model)
    assert images.shape[1] == channels
    given = torch.tensor(images.transpose(0, 2, 3, 1) if last else images)
    np.testing.assert_allclose(model.head.logits(model.embed(images)), network(given).detach().numpy(), atol=1e-4)
    told = [line for line in statement_of(model).checked if "found out by trying" in line]
    said = (not last and free == (0, 3)) or (last and free == (0, 1)) or (channels == 3 and free in ((0, 1), (0, 3)))
    assert bool(told) == (not said)
    if told:
        axes = f"[image, y, x, {channels}]" if last else f"[image, {channels}, y, x]"
        assert axes in told[0]


def test_10_a_graph_that_takes_both_orders_is_asked_about(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        opened_free(Flat(), tmp_path)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "MODEL002"
    assert "takes images as [image, 3, y, x] and as [image, y, x, 3], with other outputs for each" in diagnostic.problem
    assert "fixed axis of channels" in diagnostic.fix


@pytest.mark.parametrize("adapter", EVERY)
@pytest.mark.parametrize("channels", [3, 1])
def test_10_channels_last_are_fed_and_stated(adapter: str, channels: int, tmp_path: Path) -> None:
    network = Last(channels).eval()
    model = MODELS[adapter](network, tmp_path, 3)
    images = batch(model)
    wanted = network(torch.tensor(images.transpose(0, 2, 3, 1))).detach().numpy()
    np.testing.assert_allclose(model.head.logits(model.embed(images)), wanted, atol=1e-4)
    if adapter in TORCH:
        assert any(f"[image, y, x, {channels}], which was found" in line for line in statement_of(model).checked)


class Fixed(nn.Module):
    """Takes 28 x 28 alone: a linear layer on all pixels."""

    takes = (3, 28, 28)

    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.fc = nn.Linear(3 * 28 * 28, 8), nn.Linear(8, 3)

    def forward(self, x: Any) -> Any:
        return self.fc(torch.relu(self.hidden(x.flatten(1))))


@pytest.mark.parametrize("adapter", EVERY)
def test_10_an_image_of_the_wrong_size_is_one_message_with_both_shapes(adapter: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        MODELS[adapter](Fixed().eval(), tmp_path, 3)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "MODEL002"
    assert "[4, 3, 16, 16] float32" in diagnostic.problem
    assert any(wanted in diagnostic.problem for wanted in ("28, 28", "2,352", "2352"))
    assert caught.value.exit_code == 2


class Grey(nn.Module):
    takes = (1, 16, 16)

    def __init__(self) -> None:
        super().__init__()
        self.inner = Ends(lambda _, z: z, channels=1)

    def forward(self, x: Any) -> Any:
        return self.inner(x)


@pytest.mark.parametrize("adapter", EVERY)
def test_10_one_channel_gets_grey(adapter: str, tmp_path: Path) -> None:
    model = MODELS[adapter](Grey().eval(), tmp_path, 3)
    assert batch(model).shape == (4, 1, 16, 16)
    assert np.isfinite(model.embed(batch(model))).all()


@pytest.mark.parametrize("adapter", EVERY)
@pytest.mark.parametrize("kind", [torch.float16, torch.float64, torch.bfloat16])
def test_10_a_network_of_another_precision_is_fed_or_refused_by_its_type(
    adapter: str, kind: Any, tmp_path: Path
) -> None:
    network = plain().to(kind)
    if adapter == "onnx" and kind is torch.bfloat16:  # which ONNX Runtime takes from nobody
        with pytest.raises(UserError, match=r"MODEL002.*(bfloat16|BFLOAT16)"):
            MODELS[adapter](network, tmp_path, 3)
        return
    if adapter == "onnx" and kind is torch.float64:  # which ONNX Runtime has no convolutions in
        with pytest.raises(UserError, match=r"(?s)MODEL002.*write the file in float32"):
            MODELS[adapter](network, tmp_path, 3)
        return
    model = MODELS[adapter](network, tmp_path, 3)
    wanted = network(torch.tensor(batch(model)).to(kind)).float().detach().numpy()
    logits = model.head.logits(model.embed(batch(model)))
    assert np.abs(logits - wanted).max() <= 5e-2 * np.abs(wanted).max()


@pytest.mark.parametrize("adapter", ["onnx", "torch-export"])
def test_10_whole_numbers_with_channels_last_are_fed(
    adapter: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.adapters.brought.PREPARATION", PREPARATION | {"do_rescale": False})
    network = Bytes().eval()
    model = MODELS[adapter](network, tmp_path, 3)
    images = batch(model)
    wanted = network(torch.tensor(images.transpose(0, 2, 3, 1)).to(torch.uint8)).detach().numpy()
    np.testing.assert_allclose(model.head.logits(model.embed(images)), wanted, atol=1e-4)
    monkeypatch.setattr("tests.adapters.brought.PREPARATION", PREPARATION)
    with pytest.raises(UserError, match=r"(?s)MODEL002.*takes images of uint8.*do_rescale"):
        MODELS[adapter](network, tmp_path / "scaled", 3)


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
def test_10_weights_of_a_second_file_that_is_missing_or_elsewhere_are_told(sparse: bool, tmp_path: Path) -> None:
    import onnx

    MODELS["onnx"](plain(), tmp_path, 3)
    model = onnx.load(tmp_path / "model.onnx")
    if sparse:
        values = onnx.helper.make_tensor("extra", onnx.TensorProto.FLOAT, [1], bytes(4), raw=True)
        indices = onnx.helper.make_tensor("extra_indices", onnx.TensorProto.INT64, [1], [0])
        model.graph.sparse_initializer.append(onnx.helper.make_sparse_tensor(values, indices, [4]))
        target = model.graph.sparse_initializer[0].values
        onnx.external_data_helper.set_external_data(target, "model.onnx.data", offset=0, length=4)
        target.ClearField("raw_data")
        (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    else:
        onnx.save_model(
            model, tmp_path / "model.onnx", save_as_external_data=True, location="model.onnx.data", size_threshold=0
        )
        (tmp_path / "model.onnx.data").unlink()
    with pytest.raises(UserError, match=r"MODEL002.*(model\.onnx\.data|external data)"):
        model_adapters.load_model(None, tmp_path, kind="onnx", classes=names(3))


@pytest.mark.parametrize("kind", ["BOOL", "STRING", "COMPLEX64", "UINT32"])
def test_10_an_input_of_which_no_picture_can_be_made_is_refused_by_its_type(kind: str, tmp_path: Path) -> None:
    import onnx

    MODELS["onnx"](plain(), tmp_path, 3)
    model = onnx.load(tmp_path / "model.onnx")
    model.graph.input[0].type.tensor_type.elem_type = getattr(onnx.TensorProto, kind)
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(UserError, match="MODEL002"):
        model_adapters.load_model(None, tmp_path, kind="onnx", classes=names(3))


# 11 Heads as people have them ----------------------------------------------------------------------


def pointwise(*after: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 3, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Conv2d(8, 3, 1), *after)


def by_class(scales: Any) -> nn.Module:
    """Logits less those of grey, around which those of images lie, each times its own scale."""
    with torch.no_grad():
        middle = plain()(torch.full((1, 3, 16, 16), 0.5))[0]
    return Ends(lambda _, z: (z - middle) * scales)


HEADS: dict[str, tuple[Callable[[], nn.Module], dict[str, Any], Callable[[Any], Any]]] = {
    "plain": (lambda: Ends(lambda _, z: z), {}, lambda r: r),
    "a temperature": (lambda: Ends(lambda _, z: z / 1.5), {}, lambda r: r),
    "a scale and a shift": (lambda: Ends(lambda _, z: 3 * z + torch.tensor([1.0, 0, 2])), {}, lambda r: r),
    "a pair (features, logits)": (lambda: Ends(lambda f, z: (f, z)), {}, lambda r: r[1]),
    "the second output": (lambda: Ends(lambda f, z: (z * 2 + 1, z)), {"output": "1"}, lambda r: r[1]),
    "a 1 x 1 convolution, flattened": (lambda: pointwise(nn.Flatten()), {}, lambda r: r),
    "a 1 x 1 convolution, [n, class, 1, 1]": (pointwise, {}, lambda r: r[:, :, 0, 0]),
    "cosines": (Cosine, {}, lambda r: r),
    "softmax at the end": (lambda: Ends(lambda _, z: z.softmax(1)), {}, lambda r: r.log()),
    "log-softmax at the end": (lambda: Ends(lambda _, z: z.log_softmax(1)), {}, lambda r: r),
    "a scale for each class": (lambda: by_class(torch.tensor([0.5, 2, 9])), {}, lambda r: r),
    "turned round": (lambda: Ends(lambda _, z: -2 * z), {}, lambda r: r),
}


@pytest.mark.parametrize("adapter", EVERY)
@pytest.mark.parametrize("head", HEADS)
def test_11_a_head_is_found_and_replays_the_network(adapter: str, head: str, tmp_path: Path) -> None:
    make, options, logits_of = HEADS[head]
    network = make().eval()
    model = MODELS[adapter](network, tmp_path, 3, **options)
    with torch.inference_mode():
        wanted = logits_of(network(torch.tensor(batch(model)))).numpy()
    logits = model.head.logits(model.embed(batch(model)))
    if "softmax" in head:
        logits, wanted = (scores - scores.mean(1, keepdims=True) for scores in (logits, wanted))
    np.testing.assert_allclose(logits, wanted, atol=2e-3)
    assert not model.head.is_identity


@pytest.mark.parametrize("adapter", EVERY)
@pytest.mark.parametrize("end", [lambda _, z: z, lambda _, z: z[:, 0], lambda _, z: torch.sigmoid(z)], ids="abc")
def test_11_one_logit_is_two_classes_and_speaks_for_the_second(adapter: str, end: Any, tmp_path: Path) -> None:
    network = Ends(end, classes=1).eval()
    model = MODELS[adapter](network, tmp_path, 2)
    logits = model.head.logits(model.embed(batch(model)))
    with torch.inference_mode():
        wanted = network(torch.tensor(batch(model))).reshape(-1).numpy()
    assert logits.shape == (4, 2)
    speaks = wanted > (0.5 if wanted.min() >= 0 and wanted.max() <= 1 else 0.0)
    assert np.array_equal(logits.argmax(1) == 1, speaks)


@pytest.mark.parametrize("adapter", EVERY)
def test_11_without_a_head_the_outputs_are_studied_and_the_statement_says_so(adapter: str, tmp_path: Path) -> None:
    network = Ends(lambda f, z: torch.tanh(z) + f[:, :3] ** 2).eval()
    model = MODELS[adapter](network, tmp_path, 3)
    assert model.head.is_identity
    assert any("tell head and encoder apart" in line for line in statement_of(model).cannot)
    with torch.inference_mode():
        wanted = network(torch.tensor(batch(model))).numpy()
    np.testing.assert_allclose(model.embed(batch(model)), wanted, atol=1e-4)


@pytest.mark.parametrize("adapter", EVERY)
@pytest.mark.parametrize("share", [False, True])
def test_11_one_output_without_a_head_is_two_classes_too(adapter: str, share: bool, tmp_path: Path) -> None:
    def end(features: Any, logit: Any) -> Any:
        made = torch.sin(50 * features.sum(1, keepdim=True)) + 0 * logit
        return torch.sigmoid(made) if share else made

    network = Ends(end, classes=1).eval()
    model = MODELS[adapter](network, tmp_path, 2)
    assert model.head.is_identity
    logits = model.head.logits(model.embed(batch(model)))
    with torch.inference_mode():
        wanted = network(torch.tensor(batch(model))).numpy()[:, 0]
    assert np.array_equal(logits.argmax(1) == 1, wanted > (0.5 if share else 0.0))


class Mlp(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body, self.mlp = body(), nn.Sequential(nn.Linear(8, 6), nn.ReLU(), nn.Dropout(), nn.Linear(6, 3))

    def forward(self, x: Any) -> Any:
        return self.mlp(self.body(x))


@pytest.mark.parametrize("adapter", TORCH)
def test_11_linear_layers_with_relus_between_them_are_one_head_where_named(adapter: str, tmp_path: Path) -> None:
    assert len(MODELS[adapter](Mlp().eval(), tmp_path / "a", 3, head="mlp").head.layers) == 2
    assert len(MODELS[adapter](Mlp().eval(), tmp_path / "b", 3).head.layers) == 1


@pytest.mark.parametrize("adapter", EVERY)
def test_11_a_head_or_output_that_is_not_there_is_refused_with_those_that_are(adapter: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"MODEL003.*no such head(.|\n)*8 -> 3"):
        MODELS[adapter](plain(), tmp_path / "a", 3, head="no such head")
    with pytest.raises(UserError, match=r"MODEL00[23].*(no such output|nothing called)"):
        MODELS[adapter](plain(), tmp_path / "b", 3, output="no such output")


@pytest.mark.parametrize("adapter", EVERY)
@pytest.mark.parametrize(
    ("end", "told"),
    [
        (lambda f, z: (f[:, :3], z), "have as many columns as there are classes"),
        (lambda _, z: tuple(z.topk(3)), "sorted"),
        (lambda _, z: z.argmax(1), "int64|whole numbers"),
    ],
    ids=["two that fit", "sorted values", "classes"],
)
def test_11_outputs_that_are_not_clearly_logits_are_refused(adapter: str, end: Any, told: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"MODEL00[23].*({told})"):
        MODELS[adapter](Ends(end).eval(), tmp_path, 3)


NUMBERS: dict[str, Callable[[Any, Any], Any]] = {
    "argmax, [n]": lambda _, z: z.argmax(1).float(),
    "argmax, [n, 1]": lambda _, z: z.argmax(1, keepdim=True).float(),
    "counted from 1": lambda _, z: z.argmax(1, keepdim=True).float() + 1,
    "a threshold": lambda _, z: (z[:, :1] > z[:, 1:2]).float(),
    "a sign": lambda _, z: torch.sign(z[:, :1] - z[:, 1:2]),
}


@pytest.mark.parametrize("adapter", EVERY)
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("end", NUMBERS)
def test_11_one_column_of_class_numbers_is_no_logit(adapter: str, classes: int, end: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"MODEL002: brought gives no logits: it gives one whole number an image \("):
        MODELS[adapter](Ends(NUMBERS[end], classes).eval(), tmp_path, classes)


@pytest.mark.parametrize("adapter", EVERY)
def test_11_a_class_number_for_every_class_is_no_logit(adapter: str, tmp_path: Path) -> None:
    network = Ends(lambda _, z: z.argmax(1, keepdim=True).float().expand(-1, 3) + 0 * z)
    with pytest.raises(UserError, match="MODEL002: brought gives no logits: it gives every class the same number"):
        MODELS[adapter](network.eval(), tmp_path, 3)


@pytest.mark.parametrize("adapter", EVERY)
def test_11_a_class_number_beside_its_score_is_no_logit(adapter: str, tmp_path: Path) -> None:
    network = Ends(lambda _, z: torch.stack([z.argmax(1).float(), z.softmax(1).amax(1)], 1), classes=3).eval()
    with pytest.raises(UserError, match="MODEL002: brought gives no logits: column 0 holds whole numbers alone"):
        MODELS[adapter](network, tmp_path, 2)


@pytest.mark.parametrize("adapter", EVERY)
def test_11_outputs_that_happen_to_be_in_order_can_be_said_to_be_logits(adapter: str, tmp_path: Path) -> None:
    network = Ends(lambda f, z: torch.sin(50 * f[:, :3]) * 0.1 + torch.tensor([0.0, 1, 2]) + 0 * z).eval()
    with pytest.raises(
        UserError, match=r"(?s)MODEL002: brought gives no logits: its values are sorted.*head = \"none\""
    ):
        MODELS[adapter](network, tmp_path / "a", 3)
    assert MODELS[adapter](network, tmp_path / "b", 3, head="none").head.is_identity


@pytest.mark.parametrize("adapter", EVERY)
def test_11_the_outputs_alone_can_be_asked_for(adapter: str, tmp_path: Path) -> None:
    network = plain()
    model = MODELS[adapter](network, tmp_path, 3, head="none")
    assert model.head.is_identity
    wanted = network(torch.tensor(batch(model))).detach().numpy()
    np.testing.assert_allclose(model.embed(batch(model)), wanted, atol=1e-4)


@pytest.mark.parametrize("form", ["nd,cd->nc", "cd,nd->nc"])
def test_11_a_product_written_as_a_sum_over_letters_is_a_head(form: str, tmp_path: Path) -> None:
    class Sum(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.body, self.weight, self.offset = body(), nn.Parameter(torch.randn(3, 8)), nn.Parameter(torch.randn(3))

        def forward(self, x: Any) -> Any:
            given = (self.body(x), self.weight)
            return torch.einsum(form, *(given if form.startswith("n") else given[::-1])) + self.offset

    network = Sum().eval()
    model = MODELS["torch"](network, tmp_path, 3)
    images = batch(model, 3)  # as many as there are classes: which side the images are on is not told by numbers
    wanted = network(torch.tensor(images)).detach().numpy()
    np.testing.assert_allclose(model.head.logits(model.embed(images)), wanted, atol=1e-4)


@pytest.mark.parametrize("adapter", EVERY)
@pytest.mark.parametrize("classes", [2, 4])
def test_11_as_many_names_as_outputs(adapter: str, classes: int, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"MODEL002.*class names"):
        MODELS[adapter](plain(3), tmp_path, classes)


# 12 Checkpoints ------------------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "model.", "module._orig_mod.", "student.backbone."])
@pytest.mark.parametrize("inside", [None, "state_dict", "state_dict_ema", "model_state_dict"])
def test_12_checkpoints_are_read_as_training_scripts_write_them(
    prefix: str, inside: str | None, tmp_path: Path
) -> None:
    torch.manual_seed(1)
    trained, fresh = plain(), plain()
    with torch.no_grad():
        for parameter in trained.parameters():
            parameter.add_(1)
    state = {prefix + name: value for name, value in trained.state_dict().items()}
    torch.save({inside: state, "epoch": 7} if inside else state, tmp_path / "c.pth")
    load_weights(fresh, tmp_path / "c.pth")
    assert len(state) >= 4
    assert all(torch.equal(fresh.state_dict()[name], value) for name, value in trained.state_dict().items())


WRAPPED = {
    "DDP around a part": lambda name: name.replace("fc.", "fc.module."),
    "torch.compile around a part": lambda name: name.replace("body.", "body._orig_mod."),
    "FSDP around parts": lambda name: "_fsdp_wrapped_module." + name.replace("fc.", "fc._fsdp_wrapped_module."),
    "checkpointing": lambda name: name.replace("body.0.", "body.0._checkpoint_wrapped_module."),
    "PEFT": lambda name: "base_model.model." + name,
}


def kept(network: nn.Module, path: Path, saved: Any) -> tuple[str, bool]:
    """What is said of the file, and whether its weights are the network's."""
    torch.save(saved, path)
    fresh = plain()
    with torch.no_grad():
        for parameter in fresh.parameters():
            parameter.add_(1)
    told = load_weights(fresh, path)
    return told, all(torch.equal(a, b) for a, b in zip(fresh.parameters(), network.parameters(), strict=True))


@pytest.mark.parametrize("wrapper", WRAPPED)
def test_12_what_wrappers_put_into_names_is_taken_out(wrapper: str, tmp_path: Path) -> None:
    network = plain()
    state = {WRAPPED[wrapper](name): value for name, value in network.state_dict().items()}
    assert kept(network, tmp_path / "c.pth", state) == ("", True)


@pytest.mark.parametrize("inside", [("model_state",), ("checkpoint", "net", "sd"), ("net_state_dict",)])
def test_12_weights_are_found_under_any_name(inside: tuple[str, ...], tmp_path: Path) -> None:
    network = plain()
    saved: Any = network.state_dict()
    for name in reversed(inside):
        saved = {name: saved, "epoch": 3, "optimizer": {"state": {0: {"exp_avg": torch.zeros(3)}}}}
    assert kept(network, tmp_path / "c.pth", saved) == ("", True)


@pytest.mark.parametrize("prefix", ["model.", "module."])
def test_12_what_belongs_to_other_parts_is_left_and_named(prefix: str, tmp_path: Path) -> None:
    network = plain()
    state = {prefix + name: value for name, value in network.state_dict().items()}
    told, same = kept(network, tmp_path / "c.ckpt", {"state_dict": {**state, "n_averaged": torch.tensor(3)}})
    assert same
    assert told == "; 1 tensors of c.ckpt belong to other parts (n_averaged)"


@pytest.mark.parametrize(
    "saved",
    [
        lambda state, other: {
            f"{who}.{k}": v for who, s in (("student", state), ("teacher", other)) for k, v in s.items()
        },
        lambda state, other: {"generator": state, "generator2": other},
    ],
    ids=["prefixes", "parts"],
)
def test_12_weights_that_are_there_twice_are_refused(saved: Any, tmp_path: Path) -> None:
    state = plain().state_dict()
    torch.save(saved(state, {name: value * 0 for name, value in state.items()}), tmp_path / "c.pth")
    with pytest.raises(
        UserError, match=r"MODEL002: the network's weights are there twice, under '\w+\.?' and '\w+\.?'"
    ):
        load_weights(plain(), tmp_path / "c.pth")


AVERAGES = ("state_dict_ema", "model_ema", "ema", "ema_state_dict", "params_ema")


@pytest.mark.parametrize("average", AVERAGES)
@pytest.mark.parametrize("plainly", ["state_dict", "model", "params"])
def test_12_of_an_average_and_the_last_weights_it_is_said_which_was_taken(
    average: str, plainly: str, tmp_path: Path
) -> None:
    averaged = plain()
    other = {name: value * 0 for name, value in averaged.state_dict().items()}
    saved = {"epoch": 3, plainly: other, average: averaged.state_dict()}
    assert kept(averaged, tmp_path / "c.pth", saved) == (
        f"; of c.pth '{average}' was taken, and left out '{plainly}'",
        True,
    )


def normed() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, 2), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3)
    )


@pytest.mark.parametrize(
    ("shape", "told"),
    [
        (lambda parameters: {"ema": dict(parameters)}, "'ema'"),
        (lambda parameters: {"ema": {"decay": 0.9, "shadow_params": [value for _, value in parameters]}},
         "'ema/shadow_params' (a list)"),
        (lambda parameters: {"callbacks": {"EMA": {"weights": {f"model.{k}": v for k, v in parameters}}}},
         "'callbacks/EMA/weights'"),
    ],
    ids=["parameters alone", "a list", "a callback's"],
)  # fmt: skip
def test_12_an_average_that_is_not_whole_is_left_out_by_name(shape: Any, told: str, tmp_path: Path) -> None:
    network, fresh = normed(), normed()
    parameters = [(name, value.detach() * 0) for name, value in network.named_parameters()]
    torch.save({"state_dict": network.state_dict(), **shape(parameters)}, tmp_path / "c.pth")
    assert load_weights(fresh, tmp_path / "c.pth") == f"; of c.pth 'state_dict' was taken, and left out {told}"
    assert torch.equal(fresh[5].weight, network[5].weight)  # type: ignore[index]


def test_12_what_was_taken_of_two_states_is_stated(tmp_path: Path) -> None:
    network = plain()
    torch.save({"state_dict": network.state_dict(), "model_ema": network.state_dict()}, tmp_path / "c.pth")
    MODELS["module"](network, tmp_path, 3)
    file = tmp_path / "preprocessor_config.json"
    model = model_adapters.load_model(
        "tests.adapters.brought:made", tmp_path / "c.pth", kind="module", classes=names(3), preprocessing=file
    )
    assert "of c.pth 'model_ema' was taken, and left out 'state_dict'" in statement_of(model).library


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (("fc.base_layer.weight", "fc.lora_A.default.weight"), "merge the adapters"),
        (("_flat_param",), "FULL_STATE_DICT"),
        (("fc.weight_g", "fc.weight_v"), "weight norm"),
    ],
)
def test_12_weights_that_were_changed_say_how_to_change_them_back(
    names: tuple[str, ...], told: str, tmp_path: Path
) -> None:
    torch.save({name: torch.zeros(2, 2) for name in names}, tmp_path / "c.pth")
    with pytest.raises(UserError, match=rf"(?s)MODEL002: weights did not load.*{told}"):
        load_weights(plain(), tmp_path / "c.pth")


@pytest.mark.parametrize("name", ["c.pth", "c.safetensors", "model.onnx"])
def test_12_a_pointer_of_git_lfs_is_called_by_its_name(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(PREPARATION))

    def opened() -> Any:
        onnx = name.endswith("onnx")
        return (
            model_adapters.load_model(None, tmp_path, kind="onnx", classes=names(3))
            if onnx
            else load_weights(plain(), tmp_path / name)
        )

    with pytest.raises(UserError, match=r"MODEL002.*a pointer of Git LFS.*`git lfs pull`"):
        opened()


# 15 From pixels to a verdict in one graph -----------------------------------------------------------

PIXELS_TO_LOGITS: dict[str, Callable[[], nn.Module]] = {
    "plain": lambda: Ends(lambda _, z: z),
    "a temperature": lambda: Ends(lambda _, z: z / 1.5),
    "a pair": lambda: Ends(lambda f, z: (f, z)),
    "a 1 x 1 convolution": lambda: pointwise(nn.Flatten()),
}


@pytest.mark.parametrize("adapter", EVERY)
@pytest.mark.parametrize("head", PIXELS_TO_LOGITS)
def test_15_a_model_is_written_as_a_graph_from_its_pixels_for_any_number_of_images(
    adapter: str, head: str, tmp_path: Path
) -> None:
    import onnxruntime

    from conspect.adapters.models.onnx_graph import encoder_graph

    model = MODELS[adapter](PIXELS_TO_LOGITS[head]().eval(), tmp_path, 3)
    session = onnxruntime.InferenceSession(encoder_graph(model).SerializeToString())
    for number in (1, 5):
        images = np.random.default_rng(number).integers(0, 256, (number, 16, 16, 3), dtype=np.uint8)
        embeddings, logits = session.run(["embedding", "logits"], {"image": images})
        wanted = model.embed(np.stack([model.prepare(image) for image in images]))
        np.testing.assert_allclose(embeddings, wanted, atol=1e-4)
        np.testing.assert_allclose(logits, model.head.logits(wanted), atol=1e-4)


class ChannelsLast(nn.Module):
    """Takes floats with the channels last."""

    takes = (16, 16, 3)

    def __init__(self) -> None:
        super().__init__()
        self.inner = Ends(lambda _, z: z)

    def forward(self, x: Any) -> Any:
        return self.inner(x.permute(0, 3, 1, 2))


FORMS: dict[str, Callable[[], nn.Module]] = {
    "double": lambda: plain().double(),
    "half": lambda: plain().half(),
    "bfloat16": lambda: plain().bfloat16(),
    "grey": Grey,
    "channels last": ChannelsLast,
    "whole numbers, channels last": Bytes,
    "a batch of one squeezed": lambda: Ends(lambda _, z: z.squeeze()),
    "a head without a layer": Cosine,
    "no head": lambda: Ends(lambda f, z: torch.tanh(z) + f[:, :3] ** 2),
    "no head, shares": lambda: Ends(lambda f, z: (torch.tanh(z) + f[:, :3] ** 2).softmax(1)),
    "one logit": lambda: Ends(lambda _, z: z, classes=1),
    "one share without a head": lambda: Ends(
        lambda f, z: torch.sigmoid(torch.sin(50 * f.sum(1, keepdim=True)) + 0 * z), classes=1
    ),
    "a 1 x 1 convolution before the average": lambda: nn.Sequential(
        nn.Conv2d(3, 8, 3, 2), nn.ReLU(), nn.Conv2d(8, 3, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    ),
    "double inside": lambda: Ends(lambda _, z: z.double().mul(2).float()),
}
# ONNX Runtime has neither convolutions of doubles nor bfloat16; torch.export refuses to squeeze a batch of any size, and a
# torch network that takes whole numbers does not say so.
NOT_THERE = {
    ("double", "onnx"), ("bfloat16", "onnx"), ("a batch of one squeezed", "torch-export"),
    ("whole numbers, channels last", "torch"), ("whole numbers, channels last", "module"),
}  # fmt: skip
# What rounding to the type of the weights leaves, of the largest value; else 1e-5.
ROUNDED = {"half": 2e-3, "bfloat16": 2e-2}


@pytest.mark.parametrize(
    ("form", "adapter"),
    [(form, parameter) for form in FORMS for parameter in EVERY if (form, parameter) not in NOT_THERE],
)
def test_15_a_graph_is_written_of_a_network_of_any_form(
    form: str, adapter: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import onnx
    import onnxruntime

    from conspect.adapters.models.onnx_graph import encoder_graph
    from conspect.monitor.export.looking import around
    from conspect.monitor.runtime.looks import LOOKS

    if "whole numbers" in form:
        monkeypatch.setattr("tests.adapters.brought.PREPARATION", PREPARATION | {"do_rescale": False})
    model = MODELS[adapter](FORMS[form]().eval(), tmp_path, 2 if "one " in form and "batch" not in form else 3)
    graph = encoder_graph(model)
    # What looks again at every image must know how wide each output is.
    looking = around(graph, LOOKS)
    onnx.checker.check_model(looking, full_check=True)
    session = onnxruntime.InferenceSession(graph.SerializeToString())
    for number in (1, 6):
        images = np.random.default_rng(number).integers(0, 256, (number, 16, 16, 3), dtype=np.uint8)
        embeddings, logits = session.run(["embedding", "logits"], {"image": images})
        wanted = model.embed(np.stack([model.prepare(image) for image in images]))
        for output, value in ((embeddings, wanted), (logits, model.head.logits(wanted))):
            assert output.dtype == np.float32
            assert np.abs(output - value).max() <= ROUNDED.get(form, 1e-5) * np.abs(value).max()


@pytest.mark.parametrize("kind", [torch.float16, torch.uint8])
def test_15_an_onnx_input_of_another_type_is_cast_to_in_the_graph(
    kind: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import onnxruntime

    from conspect.adapters.models.onnx_graph import encoder_graph

    if kind is torch.uint8:
        monkeypatch.setattr("tests.adapters.brought.PREPARATION", PREPARATION | {"do_rescale": False})
    model = MODELS["onnx"](Bytes().eval() if kind is torch.uint8 else plain().half(), tmp_path, 3)
    session = onnxruntime.InferenceSession(encoder_graph(model).SerializeToString())
    images = np.random.default_rng(2).integers(0, 256, (3, 16, 16, 3), dtype=np.uint8)
    wanted = model.embed(np.stack([model.prepare(image) for image in images]))
    np.testing.assert_allclose(session.run(["embedding"], {"image": images})[0], wanted, atol=1e-3)
    # And a monitor knows it again, though it takes no noise.
    identity = Identity.of(model, model.prepare(images[0]), "lens")
    identity.require_same_outputs(lambda given: (embedded := model.embed(given), model.head.logits(embedded)))


# The list is complete ------------------------------------------------------------------------------


def test_every_kind_of_model_and_of_data_is_held_to_the_contract_or_says_why_not() -> None:
    met = set(MODELS) | {kind.partition(",")[0] for kind in FILES} | set(CANNOT)
    assert set(model_adapters.KINDS) <= met
    assert set(DATA_KINDS) <= met


@pytest.mark.parametrize("module", ["timm", "torchvision", "transformers", "own_module", "torch_export"])
def test_libraries_hand_their_network_to_the_adapter_that_is_tested_here(module: str) -> None:
    text = (Path(model_adapters.__file__).parent / f"{module}.py").read_text()
    assert "return torch_model(" in text or "model = torch_model(" in text
