"""A real server process on loopback: it starts, refuses to start, keeps clients apart, and stops without losing a request."""

import http.client
import json
import random
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from conspect.bench.service.client import pixels, png
from conspect.bench.service.hostile import KEPT_OPEN, connected, head, never_read, status_of
from conspect.bench.service.process import served, write_demo_study
from conspect.cli import monitor_serve
from tests.web.asking import embeddings, monitor

DOCS = Path(__file__).parents[2] / "docs"
TOKEN = "0123456789abcdef0123456789abcdef"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("served")
    monitor().save(path / "monitor")
    (path / "token").write_text(TOKEN + "\n")
    (path / "token").chmod(0o600)
    return path


@pytest.fixture(scope="module")
def service(folder):
    with served(folder, "--monitor", str(folder / "monitor"), "--timeout", "0.5", "--max-body", "1") as running:
        yield running
        assert running.stop() == 0
        assert running.events()[-1]["event"] == "stopped"
        assert {event["message"] for event in running.events() if event["event"] in ("fault", "library")} <= {
            "Invalid HTTP request received."
        }


BODY = json.dumps({"embeddings": embeddings()[:4].tolist(), "logits": [list(range(10))] * 4}).encode()


def answer(connection: socket.socket) -> tuple[int, dict, dict[str, str]]:
    response = http.client.HTTPResponse(connection)
    response.begin()
    return response.status, json.loads(response.read()), {name.lower(): value for name, value in response.getheaders()}


def run_cli(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from conspect.cli.main import run; run()", "monitor", "serve", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_a_check_over_the_wire(service):
    with connected(service.port) as connection:
        for _ in range(2):  # on one connection
            connection.sendall(head(len(BODY)) + BODY)
            status, told, headers = answer(connection)
            assert (status, len(told["results"])) == (200, 4)
            assert "server" not in headers


def test_what_is_not_http_is_answered_in_the_same_shape(service):
    for nonsense in (b"hello\r\n\r\n", b"\x16\x03\x01\x02\x00\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"):
        with connected(service.port) as connection:
            connection.sendall(nonsense)
            status, told, _ = answer(connection)
            assert (status, told["error"]["code"]) == (400, "WEB101")


def test_a_broken_chunk_is_no_fault(service):
    with connected(service.port) as connection:
        connection.sendall(head("chunked") + b"zz\r\n")
        assert status_of(connection) == "400"


def test_a_client_that_stalls_is_let_go(service):
    with connected(service.port) as connection:
        connection.sendall(head(1000) + b"{")
        status, told, _ = answer(connection)
        assert (status, told["error"]["code"]) == (408, "WEB105")
    for half in (b"", b"POST /v1/check HT"):
        with connected(service.port) as connection:
            connection.sendall(half)
            start = time.monotonic()
            assert connection.recv(100) == b""
            assert time.monotonic() - start < 10


def test_a_body_that_is_too_large_is_refused_before_it_is_sent(service):
    with connected(service.port) as connection:
        connection.sendall(head(2 << 20))
        status, told, _ = answer(connection)
        assert (status, told["error"]["code"]) == (413, "WEB106")


def test_requests_that_were_accepted_are_answered_after_sigterm(folder):
    with served(folder, "--monitor", str(folder / "monitor")) as service:
        halves = [connected(service.port) for _ in range(20)]
        quiet = connected(service.port)
        for number, half in enumerate(halves):
            half.sendall((head(len(BODY)) + BODY)[: 40 + 20 * number])  # some not even with a whole head
        outcomes: list[object] = []

        def busy() -> None:
            """One request after the other, on a new connection when the old one was closed politely."""
            connection, old = http.client.HTTPConnection("127.0.0.1", service.port, timeout=30), None
            while True:
                try:
                    if connection.sock is None:
                        connection.connect()
                except ConnectionError:
                    return  # the service takes no new connections any more
                fresh = connection.sock is not old
                old = connection.sock
                try:
                    connection.request("POST", "/v1/check", BODY, {"content-type": "application/json"})
                    response = connection.getresponse()
                    outcomes.append((response.status, len(json.loads(response.read())["results"])))
                except ConnectionResetError as error:
                    # A connection that the service has not accepted when it stops listening is reset by the kernel.
                    if not fresh or isinstance(error, http.client.RemoteDisconnected):
                        outcomes.append(error)
                    return
                except Exception as error:
                    outcomes.append(error)
                    return

        threads = [threading.Thread(target=busy) for _ in range(4)]
        for thread in threads:
            thread.start()
        time.sleep(0.5)
        service.process.terminate()
        time.sleep(0.6)  # the service listens no more
        quiet.sendall(head(len(BODY)) + BODY)
        halves.append(quiet)
        time.sleep(1.4)
        for number, half in enumerate(halves[:-1]):
            half.sendall((head(len(BODY)) + BODY)[40 + 20 * number :])
        for half in halves:
            assert (answer(half)[0], half.close()) == (200, None)  # type: ignore[func-returns-value]
        for thread in threads:
            thread.join()
        assert service.process.wait(timeout=30) == 0
        assert len(outcomes) > 20
        assert set(outcomes) == {(200, 4)}
        assert service.events()[-1]["inputs"] == 4 * (len(outcomes) + len(halves))


def test_two_lengths_end_the_connection(service):
    with connected(service.port) as connection:
        both = b"content-length: 3\r\ntransfer-encoding: chunked\r\n"
        start = b"POST /v1/check HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
        connection.sendall(start + both + b"\r\n0\r\n\r\nGET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n")
        status, told, headers = answer(connection)
        assert (status, told["error"]["code"], headers["connection"]) == (400, "WEB101", "close")
        assert connection.recv(100) == b""


def send_until(connection: socket.socket, content: bytes, end: float) -> None:
    while time.monotonic() < end:
        connection.send(content)


def test_a_client_that_never_reads_is_let_go(service):
    """The answers of many requests on one connection are more than the kernel takes."""
    ask = b"GET /openapi.json HTTP/1.1\r\nhost: localhost\r\n\r\n"
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(10)
        connection.connect(("127.0.0.1", service.port))
        start = time.monotonic()
        with pytest.raises(OSError):
            send_until(connection, ask * 100, start + 60)
        assert time.monotonic() - start < 20


class _Short(random.Random):
    """Asks for as little as it may."""

    def randrange(self, start: int, stop: int | None = None, step: int = 1) -> int:
        return start


def test_one_whose_requests_all_fit_into_the_buffers_is_let_go_too(service):
    assert never_read(service.port, _Short()) != KEPT_OPEN


def asked_over(port: int, seconds: float = 10.0) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=seconds)
    connection.request("POST", "/v1/check", BODY, {"content-type": "application/json"})
    return connection.getresponse().status


@pytest.mark.parametrize("stderr", ["unread", "closed", "full"])
def test_a_log_that_takes_nothing_keeps_no_client_waiting_and_no_stop(folder, stderr):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = f"{sys.executable} -c 'from conspect.cli.main import run; run()' monitor serve --port {port}"
    command += f" --monitor {folder / 'monitor'} --timeout 2"
    command = "exec " + command + {"closed": " 2>&-", "full": " 2>/dev/full"}.get(stderr, "")
    process = subprocess.Popen(["sh", "-c", command], stderr=subprocess.PIPE)
    try:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            try:
                assert asked_over(port) == 200
                break
            except ConnectionError:
                time.sleep(0.1)
        # Some 200 bytes a line: more than a pipe holds.
        assert [asked_over(port) for _ in range(500)] == [200] * 500
        process.terminate()
        assert process.wait(timeout=15) == 0
    finally:
        process.kill()
        process.wait()


def test_ctrl_c_stops_as_well(folder):
    with served(folder, "--monitor", str(folder / "monitor")) as service:
        service.process.send_signal(2)
        assert service.process.wait(timeout=30) == 0


def test_nothing_but_loopback_without_a_token(folder):
    done = run_cli("--monitor", str(folder / "monitor"), "--host", "0.0.0.0", "--port", "0")
    assert done.returncode == 2
    assert done.stderr.startswith("WEB002: others can reach 0.0.0.0")
    assert len(done.stderr.splitlines()) == 2


def test_every_option_is_documented():
    page = (DOCS / "serving.md").read_text()
    assert len(monitor_serve.serve.params) > 5
    for parameter in monitor_serve.serve.params:
        assert f"`{parameter.opts[0]}" in page or f", `{parameter.opts[0]}`" in page, parameter.name


def test_a_port_in_use_is_one_clear_message(folder, service):
    done = run_cli("--monitor", str(folder / "monitor"), "--port", str(service.port))
    assert done.returncode == 4
    assert done.stderr.startswith(f"WEB001: cannot listen on 127.0.0.1, port {service.port}: Address already in use")
    assert len(done.stderr.splitlines()) == 2


def test_help_loads_no_library_of_the_service():
    code = (
        "import sys\nfrom conspect.cli.main import main\nmain(['monitor', 'serve', '--help'], standalone_mode=False)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code + "print('MODULES', *sys.modules)"], capture_output=True, text=True, check=True
    )
    shown, loaded = done.stdout.split("MODULES")
    assert "--token-file" in shown
    assert set(loaded.split()) & {"fastapi", "uvicorn", "pydantic", "numpy", "torch"} == set()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("curl") is None, reason="the examples use curl")
def test_the_examples_of_the_page_answer_what_it_says(folder):
    text = (DOCS / "serving.md").read_text()
    examples = re.findall(r"^```bash\n(curl .*?)^```\n+```json\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    assert len(examples) >= 2
    study = folder / "study"
    study.mkdir()
    write_demo_study(study)
    (folder / "frog.png").write_bytes(png(pixels(1)[0]))
    with served(folder, "--study", str(study)) as service:
        for command, shown in examples:
            called = command.replace("127.0.0.1:8080", f"127.0.0.1:{service.port}")
            done = subprocess.run(["sh", "-c", called], capture_output=True, text=True, cwd=folder, check=True)
            assert shape(json.loads(done.stdout)) == shape(json.loads(shown)), command


def shape(value: object) -> object:
    """Keys, and types of what stands there; texts of a list are one."""
    if isinstance(value, dict):
        return {key: shape(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [shape(entry) for entry in value if not isinstance(entry, str)]
    return type(value).__name__
