"""Label maps in MATLAB files, read with scipy and with checks."""

from pathlib import Path

import numpy as np


def read_mat(path: Path, *fields: str) -> np.ndarray:
    """Read one label map.

    Args:
        path: a MAT file of version 5 to 7.
        fields: the variable, and the fields of structures inside it, such as "GTcls", "Segmentation".

    Returns:
        uint16 array (H, W).

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is empty or broken, has another version or other fields, or holds no map of whole numbers.
    """
    from scipy.io import loadmat
    from scipy.io.matlab import matfile_version

    if not path.is_file():
        raise FileNotFoundError(f"label file {path} does not exist: a MAT file was expected")
    where = ".".join(fields)
    if path.stat().st_size == 0:
        raise ValueError(f"label file {path} is empty: a MAT file with {where} was expected")
    with path.open("rb") as file:
        head = file.read(4)
    try:
        version = 2 if head == b"\x89HDF" else matfile_version(str(path))[0]
        content = loadmat(str(path), variable_names=[fields[0]]) if version == 1 else {}
    except Exception as error:  # scipy lets all kinds through where a file is broken
        reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        raise ValueError(f"label file {path} cannot be read ({reason}): a whole MAT file was expected") from None
    if version != 1:
        name = {0: "4", 2: "7.3 (HDF5)"}.get(version, str(version))
        raise ValueError(f"label file {path} is a MAT file of version {name}: version 5 to 7 was expected")
    value = content.get(fields[0])
    for field in fields[1:]:
        there = value is not None and field in (value.dtype.names or ()) and value.size == 1
        value = value[field].item() if there else None
    if value is None:
        raise ValueError(f"label file {path} has no {where}: a map of labels with this name was expected")
    labels = np.asarray(value)
    if labels.ndim != 2 or labels.size == 0 or labels.dtype.kind not in "uifb":
        raise ValueError(f"{where} in {path} has shape {labels.shape} of {labels.dtype}: (height, width) was expected")
    whole = labels.astype(np.uint16)
    if not np.array_equal(whole, labels):
        raise ValueError(
            f"{where} in {path} holds values other than whole numbers of 0 to 65535: label values were expected"
        )
    return whole
