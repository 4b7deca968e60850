"""RIVAL10 (Moayeri et al., CVPR 2022): ten classes of ImageNet photographs, each with eighteen attribute labels.

Layout: `{train,test}/ordinary/WNID_NUMBER.JPEG`, and beside each image `WNID_NUMBER_attr_labels.npy`: the attributes 0/1, or
two rows of which the first is that. The masks (`_merged_mask.JPEG`) are not images of the data set, and the pickles
(`_attr_dict.pkl`) are not opened. The data are read from the user's disk and never copied.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from conspect.adapters.datasets.catalogue import Catalogue, Files
from conspect.core.diagnostics import SourceLocation, outside_error, user_error
from conspect.core.protocols import ProgressBar, silent

CLASS_NAMES = ("truck", "car", "plane", "ship", "cat", "dog", "equine", "deer", "frog", "bird")
ATTRIBUTES = (
    *("long-snout", "wings", "wheels", "text", "horns", "floppy-ears", "ears", "colored-eyes", "tail", "mane", "beak"),
    *("hairy", "metallic", "rectangular", "wet", "long", "tall", "patterned"),
)
# ImageNet's synset to the class and the name of the synset.
SYNSETS = {
    "n03796401": ("truck", "moving van"),
    "n04467665": ("truck", "semi"),
    "n02814533": ("car", "waggon"),
    "n03100240": ("car", "convertible"),
    "n02690373": ("plane", "airliner"),
    "n04552348": ("plane", "military plane"),
    "n03673027": ("ship", "ocean liner"),
    "n03095699": ("ship", "container vessel"),
    "n02123394": ("cat", "Persian cat"),
    "n02124075": ("cat", "Egyptian cat"),
    "n02099712": ("dog", "Labrador retriever"),
    "n02099601": ("dog", "golden retriever"),
    "n02389026": ("equine", "sorrel"),
    "n02391049": ("equine", "zebra"),
    "n02423022": ("deer", "gazelle"),
    "n02422699": ("deer", "impala"),
    "n01644900": ("frog", "tailed frog"),
    "n01644373": ("frog", "tree frog"),
    "n01531178": ("bird", "goldfinch"),
    "n01532829": ("bird", "house finch"),
}
SPLITS = ("train", "test")
LARGEST_LABEL_FILE = 64 * 1024


def load(split: str, *, directory: Path, bar: ProgressBar = silent) -> Catalogue:
    """The photographs of a split with their attributes as concept labels, and the synset's name as metadata "synset".

    An image without label file has unknown attributes (NaN). Raises UserError DATA005 for an unknown split, OutsideError
    DATA004 when the layout is not there, DATA002 when an image is of another synset or a label file is not one.
    """
    if split not in SPLITS:
        raise user_error("DATA005", f"RIVAL10 has no split {split!r}", "use 'train' or 'test'")
    root = directory / "RIVAL10" if (directory / "RIVAL10").is_dir() else directory
    folder = root / split / "ordinary"
    names = sorted(path.name for path in folder.glob("*") if _is_photograph(path.name)) if folder.is_dir() else []
    if not names:
        fix = "give the folder that holds train/ordinary and test/ordinary with their .JPEG files"
        raise outside_error("DATA004", f"{folder} holds no photographs of RIVAL10", fix)
    strange = [name for name in names if name.split("_")[0] not in SYNSETS]
    if strange:
        problem = f"{len(strange)} images are of none of RIVAL10's twenty synsets, such as {strange[0]!r}"
        raise outside_error("DATA002", problem, "remove them, or unpack RIVAL10 again", SourceLocation(str(folder)))
    synsets = [SYNSETS[name.split("_")[0]] for name in names]
    advance = bar(f"attribute labels ({split})", len(names))
    labels = np.full((len(names), len(ATTRIBUTES)), np.nan)
    for row, name in enumerate(names):
        path = folder / f"{Path(name).stem}_attr_labels.npy"
        if path.is_file():
            labels[row] = _attributes(path)
        advance(1)
    return Catalogue(
        name="rival10",
        split=split,
        class_names=CLASS_NAMES,
        ids=tuple(f"{split}/{Path(name).stem}" for name in names),
        labels=np.asarray([CLASS_NAMES.index(class_name) for class_name, _ in synsets], dtype=np.int64),
        source=Files(folder, tuple(names)),
        metadata={"synset": tuple(synset for _, synset in synsets)},
        concept_names=ATTRIBUTES,
        concept_labels=labels,
    )


def _is_photograph(name: str) -> bool:
    return name.lower().endswith((".jpeg", ".jpg")) and "merged_mask" not in name and not name.startswith(".")


def _attributes(path: Path) -> NDArray[np.float64]:
    """Attribute labels `[attribute]` of one file. The header is read before the values, and no object is ever unpickled."""
    try:
        if path.stat().st_size > LARGEST_LABEL_FILE:
            raise ValueError("too large for eighteen labels")
        stream = io.BytesIO(path.read_bytes())
        readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
        shape, _, dtype = readers[npy.read_magic(stream)](stream)
        if shape not in ((len(ATTRIBUTES),), (2, len(ATTRIBUTES))) or dtype.kind not in "biuf":
            raise ValueError(f"shape {shape} of {dtype}, expected {len(ATTRIBUTES)} numbers")
        stream.seek(0)
        values = np.asarray(np.atleast_2d(np.load(stream, allow_pickle=False))[0], dtype=np.float64)
        if not np.isin(values, (0, 1)).all():
            raise ValueError("labels other than 0 and 1")
    except (
        Exception
    ) as error:  # NumPy's header reader raises anything on hostile files: TokenError, RecursionError, ...
        problem = f"{path.name} is not an attribute file of RIVAL10: {str(error)[:200]}"
        raise outside_error(
            "DATA002", problem, "remove it, or unpack RIVAL10 again", SourceLocation(str(path))
        ) from error
    return values
