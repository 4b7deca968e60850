"""Records that took long to make, kept on disk by content. The one cache of records; embeddings are kept by `adapters/store`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Generic

from conspect.core.digests import digest_bytes, digest_json
from conspect.core.files import read_content, write_atomically, writing_to
from conspect.core.version import VERSION
from conspect.results.files import Record, decoded, encoded


def key_of(*recipe: object) -> str:
    """What a record is kept by: all that decides what is in it, and this version of Conspect."""
    return digest_json([VERSION, *recipe])[:32]


@dataclass(frozen=True, slots=True)
class KeptRecords(Generic[Record]):
    """Records of one kind, each in `folder`/PREFIX + KEY-DIGEST.json.

    The key says what it was made of, the digest (SHA-256 of the content) what was written: a file that was edited, or
    damaged, is not believed.
    """

    folder: Path
    kind: type[Record]
    prefix: str = ""

    def read(self, key: str) -> Record | None:
        """The record that was written for this key; None where there is none, or it is not as it was written."""
        try:
            for path in sorted(self.folder.glob(f"{self.prefix}{key}-*.json")):
                content = read_content(path)
                if path.name == self._name(key, content):
                    return decoded(content, self.kind)
        except (OSError, ValueError):
            pass  # not ours, damaged or gone: made anew
        return None

    def write(self, key: str, record: Record) -> None:
        """Writes it; an earlier one of the same key goes. Raises OutsideError STORE001."""
        content = encoded(record)
        with writing_to(self.folder):
            for path in self.folder.glob(f"{self.prefix}{key}-*.json"):
                path.unlink(missing_ok=True)
            write_atomically(self.folder / self._name(key, content), content)

    def _name(self, key: str, content: bytes) -> str:
        return f"{self.prefix}{key}-{digest_bytes(content)[:32]}.json"
