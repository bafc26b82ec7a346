"""PLY files with a point a vertex: coordinates and colours by open3d, one further column by us.

Why not all by open3d 0.20: of a file that ends too early it returns a cloud of the stated length, in part never
written, and only prints a warning. So the length of the file is compared with its header before. And it passes over a
property of the type `ushort`, which is what the labels of ScanNet have (it knows the same type as `uint16`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from labelkit.datasets.listing import like
from labelkit.datasets.point_grid import checked
from labelkit.open3d_library import open3d_library

TYPES = {
    "char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1", "short": "i2", "int16": "i2", "ushort": "u2",
    "uint16": "u2", "int": "i4", "int32": "i4", "uint": "u4", "uint32": "u4", "float": "f4", "float32": "f4",
    "double": "f8", "float64": "f8",
}  # fmt: skip
FORMAT = "binary_little_endian 1.0"
LONGEST_HEADER = 1 << 16
LISTS = {("list", count, corner) for count in ("uchar", "uint8") for corner in ("int", "int32", "uint", "uint32")}
TRIANGLE_BYTES = 13  # a count of one byte and three numbers of four


@dataclass(frozen=True)
class Header:
    """What a PLY file says about its vertices.

    Attributes:
        count: of vertices.
        row: type of a vertex, a field for each property.
        start: bytes before the first vertex.
    """

    count: int
    row: np.dtype
    start: int


def read_header(path: Path) -> Header:
    """Read the header of a binary file of vertices and faces, and compare it with the length of the file.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no such file, or it is shorter or longer than its header says.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist{like(path)}: a PLY file was expected")
    with open(path, "rb") as file:
        head = file.read(LONGEST_HEADER)
    text, end, _ = head.partition(b"end_header\n")
    lines = text.decode("latin-1").splitlines()
    if not end or lines[:1] != ["ply"] or f"format {FORMAT}" not in lines:
        raise ValueError(f"{path} does not begin with the header of a PLY file of the format {FORMAT}")
    try:
        elements = _elements(lines)
        (name, count, properties), *others = elements
        row = np.dtype([(prop[-1], "<" + TYPES[prop[0]]) for prop in properties])
        if name != "vertex" or [other[0] for other in others] not in ([], ["face"]):
            raise ValueError("elements")
    except (KeyError, ValueError, IndexError) as error:
        raise ValueError(
            f"{path} has a header that was not understood ({error}): vertices with scalar properties, and after them "
            "faces or nothing, were expected"
        ) from None
    start = len(text) + len(end)
    _check_length(path, start + count * row.itemsize, others)
    return Header(count, row, start)


def read_points(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """The vertices of a file, by open3d.

    Returns:
        xyz (N, 3) float32 as the file has them, rgb (N, 3) uint8.

    Raises:
        FileNotFoundError, ValueError: as for `read_header`; or a property is missing, or a coordinate is not finite.
        ImportError: open3d cannot be loaded.
    """
    header = read_header(path)
    for names, wanted in (("x", "y", "z"), "f"), (("red", "green", "blue"), "u"):
        for name in names:
            if name not in (header.row.names or ()) or header.row[name].kind != wanted:
                kind = "float" if wanted == "f" else "uchar"
                raise ValueError(
                    f"{path} has no property {name} of the type {kind}: coordinates and colours were expected"
                )
    library = open3d_library()
    with library.utility.VerbosityContextManager(library.utility.VerbosityLevel.Error):  # a column may be passed over
        cloud = library.t.io.read_point_cloud(str(path))
    read = {name: cloud.point[name].numpy() for name in ("positions", "colors") if name in cloud.point}
    if [len(array) for array in read.values()] != [header.count] * 2:
        raise ValueError(f"{path}: open3d did not read the {header.count} points that the header states")
    xyz = checked(read["positions"], str(path)).astype(np.float32, copy=False)
    return xyz, read["colors"].astype(np.uint8, copy=False)


def read_column(path: Path, name: str) -> np.ndarray:
    """One property of all vertices, (N,), in the type of the file.

    Raises:
        FileNotFoundError, ValueError: as for `read_header`, or there is no such property.
    """
    header = read_header(path)
    if name not in (header.row.names or ()):
        raise ValueError(f"{path} has no property {name} of its vertices; it has {', '.join(header.row.names or ())}")
    rows = np.memmap(path, header.row, "r", header.start, header.count) if header.count else np.empty(0, header.row)
    return np.array(rows[name])


def _elements(lines: list[str]) -> list[tuple[str, int, list[list[str]]]]:
    """The elements of a header in order: name, count, and the words of each property."""
    found: list[tuple[str, int, list[list[str]]]] = []
    for line in lines:
        words = line.split()
        if words[:1] == ["element"]:
            found.append((words[1], int(words[2]), []))
        elif words[:1] == ["property"]:
            found[-1][2].append(words[1:])
    if any(count < 0 for _, count, _ in found):
        raise ValueError("a negative count")
    return found


def _check_length(path: Path, vertices: int, faces: list[tuple[str, int, list[list[str]]]]) -> None:
    """Compare the length of a file with what its header says.

    Args:
        path: of the file.
        vertices: bytes of header and vertices.
        faces: the element after the vertices, if there is one.
    """
    found, expected = path.stat().st_size, vertices
    for _, count, properties in faces:
        if len(properties) != 1 or tuple(properties[0][:3]) not in LISTS:
            raise ValueError(f"{path} has faces of another form than `list uchar int`, which was expected")
        expected += TRIANGLE_BYTES * count
        if found not in (expected, vertices) and found > vertices:  # not triangles alone, or a broken file
            expected = _end_of_faces(path.read_bytes(), vertices, count)
    if found != expected:
        raise ValueError(
            f"{path} has {found} bytes, and the vertices and faces that its header states end at byte {expected}: the "
            "file is cut off, or a count is wrong"
        )


def _end_of_faces(raw: bytes, start: int, count: int) -> int:
    """Where faces with any number of corners end; the place behind the file if they go on after it."""
    place = start
    for _ in range(count):
        if place >= len(raw):
            return place + 1
        place += 1 + 4 * raw[place]
    return place
