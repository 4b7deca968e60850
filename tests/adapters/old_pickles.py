"""CIFAR's batches as Python 2 pickled them."""

import struct

import numpy as np


def python2_batch(pixels: np.ndarray, labels: list[int]) -> bytes:
    """A batch as Python 2 wrote CIFAR's, instruction by instruction."""
    short = lambda text: b"U" + bytes([len(text)]) + text  # noqa: E731
    numbers = b"".join(b"K" + bytes([label]) for label in labels)
    rows = struct.pack("<H", len(pixels))
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\nq\x07cnumpy\nndarray\nq\x08K\x00\x85q\tU\x01bq\n\x87q\x0bRq\x0c(K\x01M"
        + rows
        + b"M\x00\x0c\x86q\rcnumpy\ndtype\nq\x0eU\x02u1K\x00K\x01\x87q\x0fRq\x10(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xff"
        + b"K\x00tb\x89T"
        + struct.pack("<i", pixels.size)
        + pixels.tobytes()
        + b"tb"
    )
    return (
        b"\x80\x02}q\x01(" + short(b"batch_label") + b"q\x02" + short(b"training batch 1 of 5") + b"q\x03"
        + short(b"labels") + b"q\x04]q\x05(" + numbers + b"e" + short(b"data") + b"q\x06" + array + b"u."
    )  # fmt: skip
