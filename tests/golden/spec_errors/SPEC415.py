from pathlib import Path

from conspect.cli.spec import read_bytes

read_bytes(Path("nowhere.cspec"))
