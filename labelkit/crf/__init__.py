"""Fully connected conditional random field (dense CRF): pixels near in place and colour pull each other to one label.

Kraehenbuehl and Koltun, Efficient Inference in Fully Connected CRFs with Gaussian Edge Potentials, NIPS 2011.
`mean_field` is the inference, `kernels` holds the exact kernels for small pictures, `permutohedral` the filter for
large ones, `unaries` makes unary energies from probabilities. Nothing here knows a network, a method or a data set.
"""
