"""The classes: iSAID's 15 [zamir2019isaid], with the ids, the spelling and the colours of its devkit."""

import numpy as np

CLASSES = (
    "background", "ship", "storage_tank", "baseball_diamond", "tennis_court", "basketball_court", "Ground_Track_Field",
    "Bridge", "Large_Vehicle", "Small_Vehicle", "Helicopter", "Swimming_pool", "Roundabout", "Soccer_ball_field",
    "plane", "Harbor",
)  # fmt: skip
(
    SHIP, STORAGE_TANK, BASEBALL_DIAMOND, TENNIS_COURT, BASKETBALL_COURT, TRACK_FIELD, BRIDGE, LARGE_VEHICLE,
    SMALL_VEHICLE, HELICOPTER, SWIMMING_POOL, ROUNDABOUT, SOCCER_FIELD, PLANE, HARBOUR,
) = range(1, 16)  # fmt: skip
PALETTE = np.array(
    [[0, 0, 0], [0, 0, 63], [0, 63, 63], [0, 63, 0], [0, 63, 127], [0, 63, 191], [0, 63, 255], [0, 127, 63],
     [0, 127, 127], [0, 0, 127], [0, 0, 191], [0, 0, 255], [0, 191, 127], [0, 127, 191], [0, 127, 255], [0, 100, 155]],
    dtype=np.uint8,
)  # fmt: skip
