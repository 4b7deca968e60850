"""A pair of ONNX towers through ONNX Runtime, in the layout of Optimum and transformers.js. Needs no torch.

FOLDER/vision_model.onnx, FOLDER/text_model.onnx     or both in FOLDER/onnx
FOLDER/tokenizer.json, tokenizer_config.json, preprocessor_config.json, config.json
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conspect.adapters import preprocessing
from conspect.adapters.preprocessing import GreyPreparation, Preparation, preparation_digest
from conspect.adapters.runtimes.input_form import InputForm, taken_form
from conspect.adapters.runtimes.onnx_door import onnx_runtime
from conspect.adapters.runtimes.onnx_runtime import Session, read_graph, readings_of_input
from conspect.adapters.runtimes.probes import SENTENCES, confirm_function, prepared_probes, sketch
from conspect.adapters.runtimes.torch_runtime import need
from conspect.adapters.sources.hub import opening
from conspect.adapters.sources.request import Request
from conspect.core.diagnostics import SourceLocation, user_error
from conspect.core.digests import digest_bytes, digest_json
from conspect.core.files import read_text
from conspect.core.foreign_code import calling
from conspect.core.json_value import parsed_once
from conspect.core.spaces import Floats
from conspect.core.statements import Statement

IMAGES, TEXTS = ("image_embeds", "pooler_output"), ("text_embeds", "pooler_output")
BATCH = 64


def load(request: Request) -> OnnxVlm:
    """Raises OutsideError VLM002 for towers that do not load, VLM001; UserError MODEL002, MODEL004, MODEL005."""
    need("onnx, onnxruntime, tokenizers", "VLM001", "a VLM of ONNX towers", "onnx")
    if request.precision != "fp32":
        fix = "leave `precision` out; convert the files themselves to run them in another precision"
        raise user_error("MODEL004", "ONNX towers run in the precision that is written in them", fix)
    if request.path is None:
        raise user_error("MODEL002", "a VLM of ONNX towers is a folder", "give it with `path`")
    steps = request.own_preprocessing() or preprocessing.read_preprocessing(request.path / preprocessing.FILE)
    return OnnxVlm(request.path, steps, name=request.label, device=request.device)


class _Tower:
    """One ONNX file and the output that holds the embeddings."""

    def __init__(self, folder: Path, file: str, wanted: tuple[str, ...], device: str) -> None:
        path = next((p for p in (folder / file, folder / "onnx" / file) if p.is_file()), folder / file)
        model = read_graph(path, "VLM002")
        self.digest = digest_bytes(model.SerializeToString(deterministic=True))
        self.session = Session(model, device=device, place=path, code="VLM002")
        self.inputs = [value.name for value in self.session.inputs]
        outputs = [name for name in wanted if name in self.session.outputs]
        if not outputs:
            problem = (
                f"its outputs are {', '.join(self.session.outputs)}; embeddings are looked for in {' or '.join(wanted)}"
            )
            raise user_error("MODEL002", problem, "export the tower with its projection", SourceLocation(str(path)))
        self._output = outputs[0]

    def __call__(self, arrays: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
        return self.session.run(arrays, [self._output])[0]


class OnnxVlm:
    """Fulfils `VisionLanguageModel`. Image embeddings are not normalised; text embeddings are."""

    logit_scale, logit_bias = None, 0.0

    def __init__(self, folder: Path, steps: preprocessing.Preprocessing, *, name: str, device: str = "cpu") -> None:
        """Raises as `load` does."""
        onnxruntime = onnx_runtime()

        self._tokenizer = _tokenizer(folder)
        self._images = _Tower(folder, "vision_model.onnx", IMAGES, device)
        self._steps, self.name = steps, name
        self._take(taken_form(readings_of_input(self._images.session.inputs[0]), self._tried, name))
        self._texts = _Tower(folder, "text_model.onnx", TEXTS, device)
        self.preprocessing = self._prepare.sentence
        probes = prepared_probes(self._prepare, name)
        self.embedding_size = int(self.embed(probes[:1]).shape[1])
        with calling(name, "the text tower", "tokens of sentences"):
            texts = self.embed_texts(SENTENCES)
        size = texts.shape[1]
        if size != self.embedding_size:
            problem = f"the towers do not share a space: {self.embedding_size} dimensions for images, {size} for texts"
            raise user_error(
                "MODEL002",
                problem,
                "export both towers of one model, with their projections",
                SourceLocation(str(folder)),
            )
        confirmed = confirm_function(self.embed, probes, name=name, tolerance=self._form.tolerance)
        content = [self._images.digest, self._texts.digest, preparation_digest(self._prepare), self._tokenizer.to_str()]
        # What the towers make of probes stands for all that no file shows, such as another version of the tokenizer.
        self.digest = digest_json([*content, device.partition(":")[0], sketch(confirmed), sketch(texts)])
        self.statement = Statement(
            f"ONNX Runtime {onnxruntime.__version__}",
            device,
            "as in the files",
            checked=(
                "both towers map into spaces of one size",
                "probe images have the same embeddings together, again, and alone",
                *([self._form.tried] if self._form.tried else []),
            ),
            cannot=("say its logit scale, which the towers do not carry; no analysis needs it",),
        )

    def _take(self, form: InputForm) -> None:
        self._form = form
        self._prepare: Preparation = GreyPreparation(self._steps) if form.grey else self._steps

    def _tried(self, form: InputForm) -> Floats:
        self._take(form)
        return self.embed(prepared_probes(self._prepare, self.name))

    def prepare(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """`[height, width, 3]` uint8 to `[3, y, x]` float32."""
        return self._prepare(image)

    def embed(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Embeddings `[image, E]` float32, not normalised. Raises UserError MODEL002 when the tower does not take the batch."""
        with calling(self.name, "the image tower", f"{list(batch.shape)} {batch.dtype}", self._form.wanted):
            return self._images({self._images.inputs[0]: self._form.fed(batch, self.name)})

    def embed_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit embeddings `[text, E]` float32; longer texts are cut at the text tower's length."""
        parts = []
        for start in range(0, len(texts), BATCH):
            encoded = self._tokenizer.encode_batch(list(texts[start : start + BATCH]))
            given = {
                "input_ids": np.asarray([text.ids for text in encoded], np.int64),
                "attention_mask": np.asarray([text.attention_mask for text in encoded], np.int64),
            }
            parts.append(self._texts({name: given[name] for name in self._texts.inputs if name in given}))
        vectors = np.concatenate(parts) if parts else np.zeros((0, self.embedding_size), np.float32)
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)


def _tokenizer(folder: Path) -> Any:
    """Cuts and pads every text to the text tower's length, with the padding token that the tokenizer's configuration names."""
    from tokenizers import Tokenizer

    with opening(
        folder, "tokenizers", "give the folder with tokenizer.json, tokenizer_config.json and config.json", "VLM002"
    ):
        try:
            tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        except Exception as error:  # the package raises bare exceptions
            raise ValueError(str(error)) from error
        length = int(_json(folder / "config.json")["text_config"]["max_position_embeddings"])
        token = _json(folder / "tokenizer_config.json")["pad_token"]
        token = token["content"] if isinstance(token, dict) else token
        number = tokenizer.token_to_id(token)
        if number is None:
            raise ValueError(f"the padding token {token!r} is not one of its tokens")
        tokenizer.enable_truncation(length)
        tokenizer.enable_padding(length=length, pad_id=number, pad_token=token)
    return tokenizer


def _json(path: Path) -> dict[str, Any]:
    content = parsed_once(read_text(path))
    if not isinstance(content, dict):
        raise ValueError(f"{path.name} is not a JSON object")
    return content
