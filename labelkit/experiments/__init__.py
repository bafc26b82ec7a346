"""One file a paper: what its arms are, for a given run file. Called by the chapter and by the command line alike.

An experiment module, ``labelkit.experiments.<paper>``, offers five names and is found by the paper's name:

- ``Settings``: the run file's keys, a subclass of :class:`labelkit.experiments.settings.RunSettings`;
- ``ARMS``: the names that a run file may list, each with what the arm is;
- ``prepare(settings, context)``: what several cells share and what is made once, before the first of them;
- ``fingerprint(data, settings, context) -> str``: of the data that a cell would use;
- ``run(arm, data, seed, settings, context) -> Outcome``: train and evaluate one cell.
"""
