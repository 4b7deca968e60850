"""The engine whose workers are those of a Ray cluster: one that runs somewhere, or one started here for the call.

Workers get functions and tasks as bytes. In them the study's own data sets and models stand as names: each worker process
opens what study.toml names itself, once. What is pickled goes from this process to the workers that it asked for, and back;
none of it is kept or read from disk. A task whose worker dies is run again elsewhere.
"""

from __future__ import annotations

import importlib
import io
import os
import pickle
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeAlias

from conspect.core.diagnostics import ConspectError, Diagnostic, outside_error, user_error
from conspect.core.protocols import Progress, Result, Task, unseen

# A task that has lost so many workers is to blame itself.
RETRIES = 8
# Tasks sent ahead for each processor: enough that none waits, few enough that finished results do not pile up.
AHEAD = 2
LOOPBACK = "127.0.0.1"
# Results are small or are read at once; Ray's own default would take a third of the memory.
OBJECT_STORE_BYTES = 200 * 1024**2

# Whatever does not travel; only names of it are sent.
Shared: TypeAlias = Mapping[str, object]


@dataclass(frozen=True)
class _Failure:
    """A Conspect error on its way from a worker; as an exception it would lose its diagnostics."""

    kind: type[ConspectError]
    diagnostics: tuple[Diagnostic, ...]


class RayEngine:
    """Tasks on Ray's workers; as a context manager it leaves the cluster, and stops one that it started.

    `shared`: objects of this process by name, which `opener` opens in a worker; it is called once in each worker process.
    """

    def __init__(
        self,
        address: str | None = None,
        *,
        shared: Shared | None = None,
        opener: Callable[[], Shared] | None = None,
        processors: int | None = None,
    ) -> None:
        """Joins the cluster at `address`, or starts one here with so many `processors` (default: all).

        Raises OutsideError ENGINE001 without Ray, ENGINE002 when the cluster cannot be reached.
        """
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # read when Ray is imported: nothing is told to anybody
        try:
            ray: Any = importlib.import_module("ray")
        except ImportError as error:
            raise outside_error("ENGINE001", f"Ray is not there: {error}", "pip install 'conspect[ray]'") from error
        joined = {"address": address}
        own = {
            "address": "local",
            "_node_ip_address": LOOPBACK,
            "num_cpus": processors,
            "object_store_memory": OBJECT_STORE_BYTES,
            "include_dashboard": False,
        }
        try:
            with nullcontext() if address else _loopback_only():
                ray.init(logging_level="ERROR", log_to_driver=False, **(joined if address else own))
        except (ConnectionError, OSError, RuntimeError, ValueError) as error:
            where = f"the cluster at {address}" if address else "a cluster on this machine"
            fix = "start one with: ray start --head, or leave --address out"
            raise outside_error("ENGINE002", f"{where} cannot be used: {error}", fix) from error
        if address is None and ray.util.get_node_ip_address() != LOOPBACK:
            ray.shutdown()
            problem = f"a cluster on this machine cannot be used: this version of Ray does not keep it to {LOOPBACK}"
            raise outside_error("ENGINE002", problem, "install another version of Ray, or use --engine local")
        self._ray = ray
        self._names = {id(value): name for name, value in (shared or {}).items() if value is not None}
        # Kept, so that no other object gets the address, and with it the name, of one that is gone.
        self._shared = shared
        self._opener = ray.put(pickle.dumps(opener))
        self._token = os.urandom(16).hex()
        self._work = ray.remote(num_cpus=1, max_retries=RETRIES)(_work)

    def __enter__(self) -> RayEngine:
        return self

    def __exit__(self, *_: object) -> None:
        self._ray.shutdown()

    def map(
        self, function: Callable[[Task, Progress], Result], tasks: Iterable[Task], progress: Progress = unseen
    ) -> Iterator[Result]:
        """`function(task, progress)` of every task by the workers; progress comes when a task is done.

        Raises what the function raises on purpose; OutsideError ENGINE003 when a task loses worker after worker; UserError
        ENGINE004 when something in function or task cannot be sent.
        """
        sent = self._ray.put(self._packed(function))
        ahead = AHEAD * max(1, int(self._ray.cluster_resources().get("CPU", 1)))
        waiting = iter(tasks)
        running = deque(self._start(sent, task) for task in islice(waiting, ahead))
        while running:
            steps, result = self._result(running.popleft())
            running.extend(self._start(sent, task) for task in islice(waiting, 1))
            progress(steps)
            yield result

    def _start(self, sent: object, task: object) -> Any:
        return self._work.remote(self._token, self._opener, sent, self._packed(task))

    def _result(self, reference: Any) -> tuple[int, Any]:
        try:
            steps, result = self._ray.get(reference)
        except self._ray.exceptions.RayTaskError:
            raise  # a fault of ours, with the worker's traceback
        except self._ray.exceptions.RayError as error:
            problem = f"a task could not be finished on {RETRIES + 1} workers: {str(error).strip().splitlines()[0]}"
            fix = "look at the workers' memory and logs; --engine local does the same without them"
            raise outside_error("ENGINE003", problem, fix) from error
        if isinstance(result, _Failure):
            raise result.kind(*result.diagnostics)
        return steps, result

    def _packed(self, value: object) -> bytes:
        out = io.BytesIO()
        packer = _Packer(out, protocol=pickle.HIGHEST_PROTOCOL)
        packer.names = self._names
        try:
            packer.dump(value)
        except (pickle.PicklingError, TypeError, AttributeError) as error:
            fix = "let study.toml name data, model and VLM: workers then open their own; or use --engine local"
            raise user_error("ENGINE004", f"an object cannot be sent to workers: {error}", fix) from error
        return out.getvalue()


@contextmanager
def _loopback_only() -> Iterator[None]:
    """In this block Ray's processes listen on 127.0.0.1 alone, not on all interfaces.

    Ray replaces a loopback address by that of the machine, because the nodes of a cluster must reach one another, except where it
    does without clusters: on Windows and macOS, or where RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER is 0. This process has read the
    variable when Ray was imported; the processes that Ray starts inherit it.
    """
    constants: Any = importlib.import_module("ray._private.ray_constants")
    name = constants.ENABLE_RAY_CLUSTERS_ENV_VAR
    before = os.environ.get(name), constants.ENABLE_RAY_CLUSTER
    os.environ[name], constants.ENABLE_RAY_CLUSTER = "0", False
    try:
        yield
    finally:
        constants.ENABLE_RAY_CLUSTER = before[1]
        if before[0] is None:
            del os.environ[name]
        else:
            os.environ[name] = before[0]


class _Packer(pickle.Pickler):
    """Writes the names of shared objects in their place."""

    names: Mapping[int, str]

    def persistent_id(self, value: object) -> str | None:
        return self.names.get(id(value))


class _Unpacker(pickle.Unpickler):
    """Puts this worker's own objects where the names are."""

    shared: Callable[[], Shared]

    def persistent_load(self, name: str) -> object:
        return self.shared()[name]


# In a worker process: what the opener of each engine opened.
_OPENED: dict[str, Shared] = {}


def _work(token: str, opener: bytes, function: bytes, task: bytes) -> tuple[int, object]:
    """One task in a worker: how many steps it took, and its result."""

    def shared() -> Shared:
        if token not in _OPENED:
            _OPENED[token] = pickle.loads(opener)()
        return _OPENED[token]

    def unpacked(content: bytes) -> Any:
        reader = _Unpacker(io.BytesIO(content))
        reader.shared = shared
        return reader.load()

    steps: list[int] = []
    try:
        result = unpacked(function)(unpacked(task), steps.append)
    except ConspectError as error:
        return 0, _Failure(type(error), error.diagnostics)
    return sum(steps), result
