from pathlib import Path

from conspect.core.files import read_specification

read_specification(Path("nowhere.cspec"))
