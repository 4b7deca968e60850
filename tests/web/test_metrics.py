"""Counts, the state of the stream, the log, the schema."""

import json
import re

import numpy as np
import pytest
from safetensors.numpy import save

from conspect.monitor.runtime import VERDICTS
from conspect.web import log
from tests.web.asking import LinearModel, asking, embeddings, images, monitor


@pytest.fixture
def ask():
    made = asking(LinearModel())
    yield made
    made.service.close()


def figures(ask) -> dict[str, float]:
    text = ask(method="GET", url="/metrics").text
    return {name: float(value) for name, value in re.findall(r"^([^#\n].*) (\S+)$", text, re.MULTILINE)}


def test_requests_decisions_and_drift_are_counted(ask):
    assert np.isnan(figures(ask)["conspect_alarm_rate"])
    z = embeddings()
    decisions = monitor().check(z, LinearModel().head.logits(z))
    stream = monitor().stream()
    stream.update(decisions, monitor().numerators(z))
    ask(json={"embeddings": z.tolist()})
    ask(content=b"x")
    ask(method="GET", url="/nothing/at/all")
    values = figures(ask)
    assert values['conspect_requests_total{route="/v1/check",status="200"}'] == 1
    assert values['conspect_requests_total{route="/v1/check",status="415"}'] == 1
    assert values['conspect_requests_total{route="other",status="404"}'] == 1
    assert values['conspect_request_seconds_count{route="/v1/check"}'] == 2
    for k, verdict in enumerate(VERDICTS):
        for index, name in enumerate(monitor().class_names):
            count = int(((decisions.verdicts == k) & (decisions.outputs == index)).sum())
            assert values.get(f'conspect_decisions_total{{output="{name}",verdict="{verdict}"}}', 0) == count
    status = stream.status()
    assert values["conspect_stream_inputs"] == len(z)
    assert values["conspect_drift_evidence"] == pytest.approx(status.drift_evidence, rel=1e-4)
    assert values["conspect_alarm_rate"] == pytest.approx(status.alarm_rate)
    assert (values["conspect_queue_inputs"], values["conspect_drift_alarm"]) == (0, float(status.drift_alarm))


def test_drift_is_seen():
    ask = asking(LinearModel())
    for _ in range(10):
        ask(
            content=save({"embeddings": np.tile(embeddings()[:1] + 50, (200, 1))}),
            headers={"content-type": "application/x-safetensors"},
        )
    assert figures(ask)["conspect_drift_alarm"] == 1
    ask.service.close()


def test_a_request_is_one_line_and_no_text_of_a_client_can_break_it(ask):
    hostile = "/%0a%1b[31m%7f\u202e\u009b" + "x" * 1000
    ask(method="GET", url=hostile)
    ((event, fields),) = ask.lines
    (line,) = log.line_of(event, fields).splitlines()
    told = json.loads(line)
    assert (told["event"], told["status"], told["method"]) == ("request", 404, "GET")
    assert len(told["path"]) <= log.LONGEST
    assert line.isascii()
    assert line.isprintable()


def test_the_line_of_a_check_says_how_much_it_was(ask):
    body = save({"images": images(5)})
    ask(content=body, headers={"content-type": "application/x-safetensors"})
    ((_, fields),) = ask.lines
    assert (fields["bytes"], fields["inputs"], fields["status"]) == (len(body), 5, 200)


def test_the_schema_describes_the_check(ask):
    schema = ask(method="GET", url="/openapi.json").json()
    assert set(schema["paths"]) == {"/v1/check", "/healthz", "/metrics"}
    check = schema["paths"]["/v1/check"]["post"]
    assert set(check["requestBody"]["content"]) == {
        "application/json", "application/x-safetensors", "image/*", "multipart/form-data",
    }  # fmt: skip
    assert {"200", "401", "413", "422", "429"} <= set(check["responses"])
    answer = schema["components"]["schemas"]["Answer"]
    assert set(answer["properties"]) == {"output", "verdict", "suspicion", "reasons"}
    assert answer["properties"]["verdict"]["enum"] == list(VERDICTS)


def test_health_says_when_the_service_stops(ask):
    assert ask(method="GET", url="/healthz").json() == {"status": "ok"}
    ask.service.stop()
    stopping = ask(method="GET", url="/healthz")
    assert (stopping.status_code, stopping.headers["connection"]) == (503, "close")
    assert ask(json={"embeddings": embeddings()[0].tolist()}).status_code == 200
