"""Decoding of what strangers send. Small files are decoded in the calling thread, larger ones in processes that can be killed."""

from __future__ import annotations

import queue
import subprocess
import sys
import threading
import time
from contextlib import suppress
from typing import IO

import numpy as np
from numpy.typing import NDArray

from conspect.core.diagnostics import UserError, user_error
from conspect.core.protocols import UnreadableImage
from conspect.study.monitor.decoder import DECODED, LENGTH, REQUEST, SIZE
from conspect.study.monitor.received import declared_pixels, received_image, require_few_scans
from conspect.web.failures import Busy
from conspect.web.limits import Limits

# A file of so many bytes, and pixels, is decoded in some milliseconds, whatever is in it.
SMALL_BYTES, SMALL_PIXELS = 64 << 10, 1 << 20
FIX = "send JPEG, PNG, WEBP, BMP or GIF within the limits of pixels and scans"


class Allowance:
    """What the images of one request may still take, for several threads: pixels, and time until a deadline."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.deadline = time.monotonic() + limits.decode_seconds
        self._pixels, self._lock = 0, threading.Lock()

    def spend(self, pixels: int) -> None:
        """Raises UserError WEB110 when it is more than one request may have."""
        with self._lock:
            self._pixels += pixels
            self.limits.require_pixels(self._pixels)

    def seconds_left(self) -> float:
        """Until the deadline; raises UserError WEB110 after it."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise too_slow(self.limits)
        return left


def too_slow(limits: Limits) -> UserError:
    """The refusal of images that take too long."""
    problem = f"the images of one request took longer than {limits.decode_seconds:g} s to decode"
    return user_error("WEB110", problem, "send fewer or smaller images at once")


class Decoders:
    """So many processes, started when they are first needed; `decode` may be called from several threads."""

    def __init__(self, limits: Limits, processes: int) -> None:
        self.limits = limits
        self._free: queue.SimpleQueue[_Decoder] = queue.SimpleQueue()
        self._all = [_Decoder(limits.pixels) for _ in range(processes)]
        for process in self._all:
            self._free.put(process)

    def decode(self, content: bytes, row: int, allowance: Allowance) -> NDArray[np.uint8]:
        """Pixels `[height, width, 3]` uint8 of the request's image `row`. Raises UserError WEB110, Busy."""
        name = f"image {row} (the first is 0)"
        try:
            pixels = self._pixels(content, allowance)
        except UnreadableImage as error:
            raise user_error("WEB110", f"{name}: {error.diagnostics[0].problem.removeprefix(': ')}", FIX) from None
        except ValueError as error:
            raise user_error("WEB110", f"{name}: {error}", FIX) from None
        allowance.spend(pixels.shape[0] * pixels.shape[1])
        return pixels

    def close(self) -> None:
        """Kills the processes."""
        for process in self._all:
            process.kill()

    def _pixels(self, content: bytes, allowance: Allowance) -> NDArray[np.uint8]:
        allowance.seconds_left()
        if len(content) <= SMALL_BYTES and declared_pixels(content, "", pixels=self.limits.pixels) <= SMALL_PIXELS:
            return received_image(content, "", pixels=SMALL_PIXELS)
        require_few_scans(content, "")
        try:
            decoder = self._free.get(timeout=allowance.seconds_left())
        except queue.Empty:
            raise Busy("all decoders are busy", round(self.limits.decode_seconds) or 1) from None
        try:
            return decoder.decode(content, self.limits.pixels, allowance.seconds_left())
        except TimeoutError:
            raise too_slow(self.limits) from None
        finally:
            self._free.put(decoder)


class _Decoder:
    """One process, for one thread at a time."""

    def __init__(self, pixels: int) -> None:
        self._command = [sys.executable, "-m", "conspect.study.monitor.decoder", str(pixels)]
        self._process: subprocess.Popen[bytes] | None = None
        self._late = False

    def decode(self, content: bytes, pixels: int, seconds: float) -> NDArray[np.uint8]:
        """Raises TimeoutError, ValueError with the reason of a refusal."""
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                start_new_session=True,
            )  # fmt: skip
        process, self._late = self._process, False
        timer = threading.Timer(seconds, self._kill_late)
        timer.daemon = True
        timer.start()
        try:
            return _asked(process, content, pixels)
        except (OSError, EOFError) as error:
            self.kill()
            if self._late:
                raise TimeoutError from error
            raise ValueError("its decoder broke down over it") from error
        finally:
            timer.cancel()

    def kill(self) -> None:
        """Ends the process; the next image starts another."""
        process = self._process
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with suppress(OSError):
                        pipe.close()

    def _kill_late(self) -> None:
        self._late = True
        if self._process is not None:
            self._process.kill()


def _asked(process: subprocess.Popen[bytes], content: bytes, pixels: int) -> NDArray[np.uint8]:
    if process.stdin is None or process.stdout is None:
        raise EOFError("the process has no pipes")
    process.stdin.write(REQUEST.pack(pixels, len(content)))
    process.stdin.write(content)
    process.stdin.flush()
    if _exactly(process.stdout, 1) != DECODED:
        (length,) = LENGTH.unpack(_exactly(process.stdout, LENGTH.size))
        raise ValueError(_exactly(process.stdout, length).decode("utf-8", "replace"))
    height, width = SIZE.unpack(_exactly(process.stdout, SIZE.size))
    if height * width > pixels:
        raise ValueError(f"{width} x {height} pixels are more than {pixels:,}")
    image = np.frombuffer(_exactly(process.stdout, height * width * 3), dtype=np.uint8)
    return image.reshape(height, width, 3)


def _exactly(stream: IO[bytes], length: int) -> bytes:
    content = stream.read(length)
    if len(content) < length:
        raise EOFError
    return content
