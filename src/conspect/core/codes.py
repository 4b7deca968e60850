"""Every diagnostic code with what it stands for. Each has a golden example in tests/golden and a row in docs/errors.md."""

CODES: dict[str, str] = {
    "DATA001": "no source of the data set works",
    "DATA002": "a data file does not have the expected content",
    "DATA003": "the image folder has no usable images",
    "DATA004": "the data set directory is in no known layout",
    "DATA005": "the split asked for is not there",
}
