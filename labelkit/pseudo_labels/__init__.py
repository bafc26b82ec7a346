"""Pseudo labels: which predictions become labels, and where these labels are kept.

A map is a pair (confidence, classes) of one image: the largest probability of each pixel, (H, W) float16 or float32 in
0..1, and the class that has it, (H, W) uint8 with 255 for a pixel without a prediction. Nothing here knows a network, a
method or a data set.
"""
