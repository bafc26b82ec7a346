"""The 13 classes of S3DIS, in the order of its benchmark code, and the kinds of rooms in which they meet."""

import numpy as np

CLASSES = (
    "ceiling", "floor", "wall", "beam", "column", "window", "door", "chair", "table", "bookcase", "sofa", "board",
    "clutter",
)  # fmt: skip
CEILING, FLOOR, WALL, BEAM, COLUMN, WINDOW, DOOR, CHAIR, TABLE, BOOKCASE, SOFA, BOARD, CLUTTER = range(13)
PALETTE = np.array(
    [[214, 214, 204], [120, 110, 96], [174, 199, 232], [255, 127, 14], [148, 103, 189], [23, 190, 207], [140, 86, 75],
     [214, 39, 40], [44, 160, 44], [31, 119, 180], [227, 119, 194], [188, 189, 34], [82, 84, 163]],
    dtype=np.uint8,
)  # fmt: skip

# How often a kind of room has a class; ceiling, floor and wall are everywhere. Classes that share their probable rooms
# meet often (table and chair, board and chair), others hardly ever (sofa and board, bookcase and sofa).
FURNISHED = (BEAM, COLUMN, WINDOW, DOOR, CHAIR, TABLE, BOOKCASE, SOFA, BOARD, CLUTTER)
KINDS = {
    "office": (0.3, 0.3, 0.8, 0.8, 1.0, 1.0, 0.8, 0.0, 0.4, 1.0),
    "meeting": (0.4, 0.4, 0.5, 0.8, 1.0, 1.0, 0.1, 0.1, 1.0, 0.6),
    "lounge": (0.3, 0.4, 0.7, 0.7, 0.3, 0.9, 0.3, 1.0, 0.1, 0.8),
    "store": (0.5, 0.5, 0.1, 0.8, 0.2, 0.4, 1.0, 0.0, 0.0, 1.0),
    "hallway": (0.7, 0.8, 0.3, 1.0, 0.2, 0.0, 0.1, 0.2, 0.4, 0.6),
}
