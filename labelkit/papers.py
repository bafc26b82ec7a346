"""The sheet of a paper: its citation, the claims registered before any result, and its published numbers.

A sheet is one file, ``data/papers/<paper>.yaml``. It is validated when it is read: an unknown key, a wrong type or a
repeated key gives one sentence that names the file and the place. Nothing here knows a record or a verdict.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from labelkit.validated import read_validated

ROOT = Path(__file__).resolve().parents[1]
"""Root of the repository: the folder that holds ``data/`` and ``tests/``."""

Status = Literal["verified", "quoted", "memory"]
STATUS_WORDS: dict[str, str] = {
    "verified": "verified in the official repository",
    "quoted": "quoted by others",
    "memory": "from memory, unverified",
}
"""How each status of a published number is written on a page."""
STATUS_SYMBOLS: dict[str, str] = {"verified": "✓", "quoted": "“", "memory": "?"}
"""The same as one sign, where there is no room for words."""

Text = Annotated[str, Field(min_length=1)]


class _Strict(BaseModel):
    """No unknown keys and no silent conversion: the text "73.20" is not a number."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class OfficialCode(_Strict):
    """Where the authors' code lies, at which commit it was read, and under which licence."""

    url: Text
    commit: Text | None = None
    licence: Text | None = None


class Contrast(_Strict):
    """One comparison, computed per seed: the weighted sum of a metric over arms, held against a bar.

    Attributes:
        name: what is compared, in a few words.
        weights: weight of each arm. They add up to 0, so that the effect is a difference, unless a bar is given: then
            they may also make a level, such as ``{"image-tags": 1}`` for "tag accuracy above 0.9".
        metric: a number of the record under the contrast's protocol: a plain name (``miou``, ``vpq``, ``accuracy``), or
            names joined by colons that lead into nested groups (``iou:road``, ``ap:50:car``). ``series:<name>:gain``
            is the last minus the first evaluation of a series of training, ``series:<name>:last`` the last one.
        protocol: what the record's key of metrics says after the name of the data, e.g. ``test/whole-image``; needed
            only where records hold several.
        direction: ``greater`` if the claim says that the effect is above the bar, ``less`` if below.
        bar: in the metric's own scale. -0.005 with ``greater`` says "at least as good, but for half a point".
        unit: ``points`` for fractions, which pages show times 100; ``fraction`` for fractions shown as they are; else
            the unit of the metric in words, e.g. ``ms``.
        steps: ``equal`` refuses to compare arms that trained for different numbers of steps.
    """

    name: Text
    weights: Annotated[dict[Text, float], Field(min_length=1)]
    metric: Annotated[str, Field(pattern=r"^[a-z0-9_]+(:[^:]+)*$")] = "miou"
    protocol: Text | None = None
    direction: Literal["greater", "less"] = "greater"
    bar: Annotated[float, Field(allow_inf_nan=False)] = 0.0
    unit: Text = "points"
    steps: Literal["equal", "may differ"] = "equal"

    @model_validator(mode="after")
    def _known_series_and_a_difference(self) -> Contrast:
        parts = self.metric.split(":")
        if parts[0] == "series" and (len(parts) != 3 or parts[2] not in ("gain", "last")):
            raise ValueError(f"metric {self.metric!r} is none; a series is series:<name>:gain or series:<name>:last")
        if parts[0] != "series" and not self.is_difference and "bar" not in self.model_fields_set:
            raise ValueError(f"the weights of a {self.metric} contrast must add up to 0, or a bar must be given")
        return self

    @property
    def is_difference(self) -> bool:
        """Whether the effect is a difference, of arms or of the two ends of a series, and not a level."""
        return abs(sum(self.weights.values())) <= 1e-9 or self.metric.endswith(":gain")


class Measurement(_Strict):
    """A number that a benchmark stored, and the size that the claim asks for.

    Attributes:
        name: what is measured, in a few words.
        value: key in the benchmark's JSON file; dots lead into nested objects.
        at_least, at_most: the claim holds if the measured value is at least, or at most, this. One of the two.
        unit: of the value; ``times`` for a ratio.
    """

    name: Text
    value: Text
    at_least: float | None = None
    at_most: float | None = None
    unit: Text = "times"

    @model_validator(mode="after")
    def _one_bar(self) -> Measurement:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError(f"measurement {self.name!r} needs either at_least or at_most")
        return self

    @property
    def bar(self) -> float:
        """The value asked for."""
        return self.at_most if self.at_least is None else self.at_least

    @property
    def asked(self) -> str:
        """What is asked for, in words: ``at least 5``."""
        return f"{'at most' if self.at_least is None else 'at least'} {self.bar:g}"


class Claim(_Strict):
    """One statement that can turn out wrong.

    ``paired`` claims have contrasts over seeds, ``exact`` claims name the test that proves them, ``measured`` claims
    read numbers from a benchmark's JSON file (``source``, relative to the repository root). ``data`` names the data
    that a paired claim is meant for, where it is not meant for all; variants of a name count with it.
    """

    id: Text
    text: Text
    where: Text | None = None
    kind: Literal["paired", "exact", "measured"]
    contrasts: list[Contrast] = []
    data: list[Text] = []
    test: Annotated[str, Field(pattern=r"^tests/[\w/.-]+\.py(::\w+)*$")] | None = None
    source: Text | None = None
    measurements: list[Measurement] = []
    registered: date

    @model_validator(mode="after")
    def _fields_of_its_kind(self) -> Claim:
        wanted = {"paired": {"contrasts"}, "exact": {"test"}, "measured": {"source", "measurements"}}[self.kind]
        given = {key for key in ("contrasts", "test", "source", "measurements") if getattr(self, key)}
        if given != wanted:
            raise ValueError(
                f"a claim of kind {self.kind} needs {' and '.join(sorted(wanted))} and nothing else of its sort, "
                f"not {' and '.join(sorted(given)) or 'none of them'}"
            )
        if self.data and self.kind != "paired":
            raise ValueError(f"a claim of kind {self.kind} rests on no data; data is for paired claims")
        _refuse_repeats("contrast name", [contrast.name for contrast in self.contrasts])
        return self

    def concerns(self, data: str) -> bool:
        """Whether the claim is meant for a data set, such as ``objects`` or its variant ``objects-20``."""
        return not self.data or any(data == name or data.startswith(f"{name}-") for name in self.data)


class Published(_Strict):
    """One number of the paper, with the protocol under which it was measured and where we found it.

    Attributes:
        label: what it is, in a few words; no two numbers of one metric share it.
        table: table of the paper, or subject, under which it stands; numbers of one table belong together.
        row, column: its place there; by default the label, and the metric.
        decimals: of the value as it was published, where it ends in zeros, which a number does not keep.
        claims: claims beside which the scoreboard prints it.
        arm, run: full-scale run file, and the arm in it, that would measure it.
        record: where a record of that run holds the number: protocol and metric as in a `Contrast`, with a colon
            between them, e.g. ``test/whole-image:miou``.
        unlike: why no number of ours may stand beside it: there is a run, but under another protocol, or there is none.
    """

    label: Text
    table: Text = "Other numbers"
    row: Text | None = None
    column: Text | None = None
    metric: Text
    value: float
    decimals: Annotated[int, Field(ge=0)] | None = None
    unit: str
    protocol: Text
    arm: Text | None = None
    run: Text | None = None
    record: Annotated[str, Field(pattern=r"^[^:]+(:[^:]+)+$")] | None = None
    unlike: Text | None = None
    status: Status
    source: Text
    claims: list[Text] = []

    @model_validator(mode="after")
    def _a_place_and_a_run(self) -> Published:
        if (self.row is None) != (self.column is None):
            raise ValueError(f"published number {self.label!r} has a row or a column alone; expected both or neither")
        if (self.run is None) != (self.arm is None):
            raise ValueError(f"published number {self.label!r} has a run or an arm alone; expected both or neither")
        if self.run is None and self.record is not None:
            raise ValueError(f"published number {self.label!r} has a record, but no run that would leave it")
        if self.run is not None and (self.record is None) == (self.unlike is None):
            raise ValueError(f"published number {self.label!r} has a run; expected either record or unlike beside it")
        return self

    @property
    def status_words(self) -> str:
        """The status as a page writes it."""
        return STATUS_WORDS[self.status]

    @property
    def digits(self) -> int:
        """Decimals of the value as it was published."""
        return len(repr(self.value).partition(".")[2].rstrip("0")) if self.decimals is None else self.decimals

    @property
    def number(self) -> str:
        """The value in the digits in which it was published, without its unit."""
        return f"{self.value:,.{self.digits}f}".replace("-", "−")

    @property
    def place(self) -> tuple[str, str, str]:
        """Table, row and column."""
        return self.table, self.row or self.label, self.column or self.metric


class Remark(_Strict):
    """Something that a reader of the numbers must know, with where we found it."""

    text: Text
    status: Status
    source: Text

    @property
    def status_words(self) -> str:
        """The status as a page writes it."""
        return STATUS_WORDS[self.status]


class Dispute(Remark):
    """What others found that does not agree with the paper.

    Attributes:
        about: the number or statement in question.
        differs: what was otherwise in their trial, or that they do not say.
    """

    about: Text
    differs: Text


class Paper(_Strict):
    """The whole sheet of one paper.

    ``protocol_notes`` say how the paper's numbers were measured and what a reader must know to compare them,
    ``disputes`` what others could not reproduce.
    """

    paper: Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]
    title: Text
    short: Text
    authors: Annotated[list[Text], Field(min_length=1)]
    venue: Text
    year: Annotated[int, Field(ge=1950, le=2100)]
    bibtex_key: Text
    official_code: OfficialCode | None = None
    claims: Annotated[list[Claim], Field(min_length=1)]
    published: list[Published] = []
    protocol_notes: list[Remark] = []
    disputes: list[Dispute] = []

    @model_validator(mode="after")
    def _no_repeats(self) -> Paper:
        _refuse_repeats("claim id", [claim.id for claim in self.claims])
        _refuse_repeats("published label", [f"{row.label} ({row.metric})" for row in self.published])
        _refuse_repeats("place of a published number", [" / ".join(row.place) for row in self.published])
        known = {claim.id for claim in self.claims}
        for row in self.published:
            if unknown := sorted(set(row.claims) - known):
                raise ValueError(f"published number {row.label!r} names claim {unknown[0]!r}, which is not registered")
        return self

    def claim(self, claim_id: str) -> Claim:
        """The claim with this id.

        Raises:
            ValueError: there is none.
        """
        for claim in self.claims:
            if claim.id == claim_id:
                return claim
        raise ValueError(f"{self.paper} has no claim {claim_id}; it has {', '.join(c.id for c in self.claims)}.")


def _refuse_repeats(what: str, names: list[str]) -> None:
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(f"{what} {repeated[0]!r} is used more than once")


def exact_tests(paper: Paper) -> dict[str, str]:
    """The tests that stand for the paper's exact claims: claim id to ``file`` or ``file::name``."""
    return {claim.id: claim.test for claim in paper.claims if claim.test is not None}


def load_paper(name: str, folder: str | Path | None = None) -> Paper:
    """Reads and validates the sheet of one paper.

    Args:
        name: the paper's name, e.g. ``"cps"``.
        folder: where the sheets lie; by default ``data/papers`` of this repository.

    Raises:
        FileNotFoundError: there is no such sheet.
        ValueError: the sheet is not valid; one sentence names the file and the key.
    """
    folder = _folder(folder)
    path = folder / f"{name}.yaml"
    if not path.is_file():
        there = ", ".join(sorted(p.stem for p in folder.glob("*.yaml"))) or "none"
        raise FileNotFoundError(f"{path} does not exist; sheets in that folder: {there}.")
    paper = read_validated(path, Paper)
    if paper.paper != path.stem:
        raise ValueError(f"{path}: paper is {paper.paper!r}, but the file's name says {path.stem!r}.")
    return paper


def load_papers(folder: str | Path | None = None) -> dict[str, Paper]:
    """Every sheet of a folder, by the paper's name, in alphabetical order."""
    folder = _folder(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} does not exist; expected a folder of paper sheets (*.yaml).")
    return {path.stem: load_paper(path.stem, folder) for path in sorted(folder.glob("*.yaml"))}


def _folder(folder: str | Path | None) -> Path:
    return ROOT / "data" / "papers" if folder is None else Path(folder)
