"""Answers by value: what the service says is what the monitor says."""

import io
import json
import threading
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save

from conspect.core.diagnostics import UserError
from conspect.monitor.runtime import Monitor, Thresholds
from conspect.monitor.runtime.looks import LOOKS
from conspect.monitor.runtime.second_look import LOOK_FEATURES, SecondLook
from conspect.study.monitor.serving import Deployment
from conspect.web.answers import NOT_FINITE
from tests.web.asking import LinearModel, asking, embeddings, images, limited, monitor, require_failure

SAFETENSORS = {"content-type": "application/x-safetensors"}


@pytest.fixture(scope="module")
def model():
    return LinearModel()


@pytest.fixture(scope="module")
def ask(model):
    made = asking(model)
    yield made
    made.service.close()


def png(image) -> bytes:
    out = io.BytesIO()
    Image.fromarray(image).save(out, format="PNG")
    return out.getvalue()


def require(response, z, decisions, reasons="flagged"):
    assert response.status_code == 200, response.text
    results = response.json()["results"]
    assert len(results) == len(z)
    for row, result in enumerate(results):
        output = int(decisions.outputs[row])
        assert result["output"] == monitor().class_names[output]
        assert result["verdict"] == decisions.names()[row]
        assert result["suspicion"] == pytest.approx(float(decisions.suspicion[row]), abs=1e-4)
        told = reasons == "all" or (reasons == "flagged" and result["verdict"] != "accept")
        assert result["reasons"] == [str(reason) for reason in monitor().reasons(z[row], output) if told]


def test_images_of_every_form_are_checked_as_the_monitor_checks_them(ask, model):
    pictures = images(20)
    z, decisions = model.expected(pictures)
    assert len(set(decisions.names())) > 1  # not all verdicts alike
    require(ask(content=save({"images": pictures}), headers=SAFETENSORS), z, decisions)
    files = [("image", (f"{row}", png(image))) for row, image in enumerate(pictures)]
    require(ask(files=files), z, decisions)
    for row in range(3):
        z_one, decision = model.expected(pictures[row : row + 1])
        require(ask(content=png(pictures[row]), headers={"content-type": "image/png"}), z_one, decision)


@pytest.mark.parametrize("reasons", ["flagged", "all", "none"])
def test_embeddings_get_their_logits_from_the_head(ask, model, reasons):
    z = embeddings()
    decisions = monitor().check(z, model.head.logits(z))
    answer = ask(json={"embeddings": z.tolist()}, url=f"/v1/check?reasons={reasons}")
    require(answer, z, decisions, reasons)
    flagged = [result for result in answer.json()["results"] if result["verdict"] != "accept"]
    assert flagged
    assert any(result["reasons"] for result in flagged) == (reasons != "none")


def test_logits_that_are_sent_count(ask):
    z = embeddings()
    logits = np.random.default_rng(3).normal(size=(len(z), 10)).astype(np.float32)
    decisions = monitor().check(z, logits)
    require(ask(content=save({"embeddings": z, "logits": logits}), headers=SAFETENSORS), z, decisions)


def test_one_embedding_may_stand_alone(ask, model):
    z = embeddings()[:1]
    require(ask(json={"embeddings": z[0].tolist()}), z, monitor().check(z, model.head.logits(z)))


def test_a_monitor_alone_takes_embeddings_with_logits():
    alone = asking()
    z, logits = embeddings(), np.random.default_rng(3).normal(size=(64, 10)).astype(np.float32)
    require(alone(json={"embeddings": z.tolist(), "logits": logits.tolist()}), z, monitor().check(z, logits))
    alone.service.close()


def test_a_saved_monitor_answers_alike(tmp_path):
    monitor().save(tmp_path)
    assert Monitor.load(tmp_path).class_names == monitor().class_names


def test_what_is_not_finite_inside_the_model_is_suspect_and_no_nan_reaches_the_json(model):
    class Broken(LinearModel):
        def embed(self, batch):
            embeddings = super().embed(batch)
            embeddings[0] = np.nan
            embeddings[1] = 3e38  # its readings overflow
            return embeddings

    ask = asking(Broken())
    answer = ask(content=save({"images": images(3)}), headers=SAFETENSORS)
    results = json.loads(answer.content, parse_constant=lambda name: 1 / 0)["results"]
    for result in results[:2]:
        assert result == {"output": None, "verdict": "suspect", "suspicion": None, "reasons": [NOT_FINITE]}
    assert results[2]["suspicion"] is not None
    assert "NaN" not in ask(method="GET", url="/metrics").text.replace("alarm_rate NaN", "")
    ask.service.close()


class Held(LinearModel):
    """Embeds only after `go`; `busy` is set when it is about to."""

    def __init__(self) -> None:
        super().__init__()
        self.go, self.busy = threading.Event(), threading.Event()

    def embed(self, batch):
        self.busy.set()
        assert self.go.wait(20)
        return super().embed(batch)


def test_what_waits_goes_through_the_model_together_and_everyone_gets_his_own_answer():
    model = Held()
    ask = asking(model, limits=limited(batch=16))
    threading.Timer(0.5, model.go.set).start()
    sizes = [1, 3, 2, 5, 1, 4, 8, 20, 2]
    pictures = [images(size, seed) for seed, size in enumerate(sizes)]
    answers = ask(*[{"content": save({"images": batch}), "headers": SAFETENSORS} for batch in pictures])
    for answer, batch in zip(answers, pictures, strict=True):
        require(answer, *LinearModel().expected(batch))
    assert sum(model.batches) == sum(sizes)
    assert len(model.batches) < len(sizes)
    assert max(model.batches) == 16
    ask.service.close()


def test_a_full_queue_is_said_at_once_and_what_was_accepted_is_answered():
    model = Held()
    ask = asking(model, limits=limited(queue=10, inputs=10))
    threading.Timer(0.5, model.go.set).start()
    answers = ask(*[{"content": save({"images": images(4)}), "headers": SAFETENSORS}] * 5)
    assert sorted(answer.status_code for answer in answers) == [200, 200, 429, 429, 429]
    for answer in answers:
        if answer.status_code == 429:
            assert 1 <= int(answer.headers["retry-after"]) <= 60
            assert answer.json()["error"]["code"] == "WEB111"
    assert ask(content=save({"images": images(10)}), headers=SAFETENSORS).status_code == 200
    ask.service.close()


def test_one_failing_request_fails_alone():
    class Picky(Held):
        def embed(self, batch):
            embeddings = super().embed(batch)
            if (batch == 0.5).all(axis=(1, 2, 3)).any():
                raise RuntimeError("white")
            return embeddings

    model = Picky()
    ask = asking(model)
    threading.Timer(0.5, model.go.set).start()
    white = np.full((1, 4, 4, 3), 255, np.uint8)
    bodies = [images(2, 1), images(2, 2), white, images(2, 3)]
    answers = ask(*[{"content": save({"images": body}), "headers": SAFETENSORS} for body in bodies])
    assert [answer.status_code for answer in answers] == [200, 200, 500, 200]
    assert answers[2].json()["error"]["code"] == "WEB112"
    assert "white" not in answers[2].text
    assert [event for event, fields in ask.lines if "white" in fields.get("trace", "")] == ["fault"]
    ask.service.close()


def test_with_a_second_look_the_verdict_is_that_of_all_looks_and_drift_that_of_the_first():
    model = LinearModel()
    folded, width, rng = monitor().detector.folded, len(LOOK_FEATURES), np.random.default_rng(0)
    sizes = (folded.concepts, width, width, (2, width), folded.classes)
    arrays = [np.abs(rng.normal(size=size)).astype(np.float32) for size in sizes]
    tier = SecondLook(4, arrays[0], arrays[1], arrays[2], arrays[3], arrays[4], LOOKS)
    looking = replace(monitor(), second_look=tier, second_thresholds=Thresholds(0.0, 1.0))
    made = asking(model, monitor=looking, second_look=True)
    pixels = images(5)
    prepared = np.stack([model.prepare(image) for image in pixels])
    embeddings = np.stack(
        [model.embed(pixels_seen) for pixels_seen in (prepared, *(look(prepared) for look in LOOKS))], axis=1
    )
    logits = np.stack([model.head.logits(embeddings[:, k]) for k in range(4)], axis=1)
    expected = looking.check_looks(embeddings, logits)
    results = made(content=save({"images": pixels}), headers=SAFETENSORS).json()["results"]
    assert [result["suspicion"] for result in results] == pytest.approx(expected.suspicion, abs=1e-3)
    assert [result["verdict"] for result in results] == expected.names()
    refused = made(json={"embeddings": embeddings[:, 0].tolist()})
    assert require_failure(refused, 422, "WEB109")["problem"].startswith("this service looks at every input again")
    made.service.close()
    with pytest.raises(UserError, match=r"MONITOR001.*no second look"):
        Deployment(monitor(), model, second_look=True)
