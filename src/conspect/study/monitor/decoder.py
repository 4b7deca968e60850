"""A process that decodes images from its standard input, so that one that takes too long can be killed.

`python -m conspect.study.monitor.decoder`. A request: pixels allowed and bytes (two uint64, little-endian), then the file.
An answer: `DECODED`, height and width (two uint32), RGB bytes; or `REFUSED`, a length (uint32) and why, in UTF-8.
"""

from __future__ import annotations

import os
import resource
import signal
import struct
import sys
from typing import BinaryIO

from conspect.core.protocols import UnreadableImage
from conspect.study.monitor.received import received_image

REQUEST, SIZE, LENGTH = struct.Struct("<QQ"), struct.Struct("<II"), struct.Struct("<I")
DECODED, REFUSED = b"+", b"-"
# Address space beside the pixels: the interpreter and its libraries; and bytes a pixel: RGBA, a layer under it, RGB.
BASE_BYTES, PIXEL_BYTES = 1 << 30, 20


def answer(requests: BinaryIO, answers: BinaryIO) -> bool:
    """Answers one request; False at the end of the input."""
    head = requests.read(REQUEST.size)
    if len(head) < REQUEST.size:
        return False
    pixels, length = REQUEST.unpack(head)
    content = requests.read(length)
    try:
        image = received_image(content, "", pixels=pixels)
    except (UnreadableImage, MemoryError) as error:
        why = error.diagnostics[0].problem.removeprefix(": ") if isinstance(error, UnreadableImage) else "too large"
        text = why.encode("utf-8", "replace")
        answers.write(REFUSED + LENGTH.pack(len(text)) + text)
    else:
        answers.write(DECODED + SIZE.pack(image.shape[0], image.shape[1]))
        answers.write(image.tobytes())
    answers.flush()
    return True


def main(pixels: int) -> None:
    """Answers until the input ends. `pixels`: the most that will be allowed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started it ends it
    most = BASE_BYTES + PIXEL_BYTES * pixels
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    # What a decoder prints must not stand between the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    while answer(sys.stdin.buffer, answers):
        pass


if __name__ == "__main__":
    main(int(sys.argv[1]))
