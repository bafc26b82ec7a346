"""Every tensor of a released checkpoint has one place in our network; what does not fit is refused in one sentence.

The tables of names and shapes are the authors' (released_tables.py), not read off our networks.
"""

import re
from collections import Counter
from dataclasses import dataclass, field
from types import ModuleType

import pytest
import released_tables as tables
import torch

from labelkit.models import (
    auxsegnet_convert,
    convert,
    cps_convert,
    dars_convert,
    group_convert,
    kpconv_convert,
    ocr_convert,
    panet_convert,
)


@dataclass
class Case:
    table: list
    module: ModuleType
    convert: str
    parameters: int  # of our network
    build: str = "network_for"
    unused: tuple = ()  # released names that no forward pass reads
    changed: tuple = ()  # names of ours whose tensors are not the released ones themselves
    options: dict = field(default_factory=dict)

    def state(self):
        """Tensors that take no memory; each holds its own number throughout."""
        return {name: torch.tensor(float(n)).expand(shape) for n, (name, shape) in enumerate(self.table, start=1)}

    def converted(self, state):
        return getattr(self.module, self.convert)(state, **self.options)

    def network(self, state):
        return getattr(self.module, self.build)(state, **self.options)


ATT = tuple(f"{task}_att.{layer}." for task in ("seg", "sal") for layer in ("g", "W_z"))
CASES = {
    **{
        f"cps {depth} branch {branch}": Case(
            list(tables.torchsemiseg(21, depth)),
            cps_convert,
            "from_torchsemiseg",
            {50: 40_475_957, 101: 59_468_085}[depth],
            unused=(f"branch{3 - branch}.",),
            options={"branch": branch},
        )
        for depth, branch in ((50, 1), (50, 2), (101, 1))
    },
    "openseg ResNet": Case(list(tables.openseg_resnet(activated=False)), ocr_convert, "from_ocr", 57_988_838),
    "openseg ResNet, activated": Case(
        list(tables.openseg_resnet()), ocr_convert, "from_ocr", 57_988_838, changed=("norms",)
    ),
    "openseg HRNet": Case(list(tables.openseg_hrnet(activated=False)), ocr_convert, "from_ocr", 74_522_182),
    "openseg HRNet, activated": Case(
        list(tables.openseg_hrnet()), ocr_convert, "from_ocr", 74_522_182, changed=("norms",)
    ),
    "HRNet repository": Case(list(tables.hrnet_repository()), ocr_convert, "from_ocr", 70_372_678, unused=("loss.",)),
    "dars 50": Case(list(tables.dars_pspnet()), dars_convert, "from_dars", 49_080_038),
    "dars 101": Case(list(tables.dars_pspnet(21, 101)), dars_convert, "from_dars", 68_073_706),
    "dars deeplab": Case(
        list(tables.dars_deeplab()),
        dars_convert,
        "from_dars_deeplab",
        43_200_614,
        build="deeplab_network_for",
        unused=("layer5.conv2d_list.2.", "layer5.conv2d_list.3."),
    ),
    "auxsegnet": Case(
        list(tables.auxsegnet()), auxsegnet_convert, "from_auxsegnet", 115_267_818, unused=ATT, changed=("counters",)
    ),
    "group_wsss": Case(
        list(tables.group_wsss()), group_convert, "from_group_wsss", 21_814_492, unused=("extra_linear_e.",)
    ),
    "panet": Case(list(tables.panet()), panet_convert, "from_panet", 73_303_237, changed=("trunk",)),
    "kpconv": Case(list(tables.kpconv()), kpconv_convert, "from_kpconv", 24_377_933),
    "kpconv, deformable": Case(list(tables.kpconv(deformable_from=3)), kpconv_convert, "from_kpconv", 25_587_758),
    "kpconv, small and modulated": Case(
        list(tables.kpconv(8, 4, 16, 3, 3, 1, modulated=True)), kpconv_convert, "from_kpconv", 105_260
    ),
}


@pytest.fixture(params=CASES, scope="module")
def case(request):
    return CASES[request.param]


@pytest.fixture(scope="module")
def network(case):
    """Ours; on the meta device where that can be built."""
    if case.module is kpconv_convert:
        return case.network(case.state())
    with convert.blueprint():
        return case.network(case.state())


def number(value):
    return float(value.flatten()[0])


def test_every_tensor_lands_in_one_place(case, network):
    state = case.state()
    found = case.converted({"state_dict": {f"module.{name}": value for name, value in state.items()}, "epoch": 7})
    assert sum(p.numel() for p in network.parameters()) == case.parameters
    network.load_state_dict(found, assign=True)  # strict: every place is filled, and no other
    loaded = network.state_dict()
    assert {name: value.shape for name, value in loaded.items()} == {n: v.shape for n, v in found.items()}

    read = {name: value for name, value in state.items() if not name.startswith(case.unused or "\0")}
    made = dict(loaded)
    if "norms" in case.changed:  # |weight| + eps; these have no counters
        norms = {n for n, m in network.named_modules() if isinstance(m, torch.nn.BatchNorm2d)}
        made = {n: v for n, v in made.items() if not n.endswith("num_batches_tracked")}
        changed = {n: v for n, v in made.items() if n.rpartition(".")[0] in norms and n.endswith(".weight")}
        assert changed and all(number(v) % 1 for n, v in changed.items() if number(v) < 100)
        made |= {n: torch.tensor(round(number(v))).float() for n, v in changed.items()}
    if "counters" in case.changed:  # our normalisation has none
        read = {n: v for n, v in read.items() if not n.endswith("num_batches_tracked")}
    if "trunk" in case.changed:  # a scale and a shift have neither mean nor variance
        made = {n: v for n, v in made.items() if not n.endswith(("running_mean", "running_var"))}
    counted = Counter(number(value) for value in made.values())
    assert counted == Counter(number(value) for value in read.values())
    assert set(counted.values()) == {1}


def test_wrappers_come_off_and_what_was_given_stays():
    plain = {"a.weight": torch.zeros(2), "b.weight": torch.ones(2)}
    for content in (
        {"epoch": 3, "state_dict": {f"module.{name}": value for name, value in plain.items()}},
        {"model": dict(plain), "optimizer": {"state": {}}},
        {"model_state_dict": {f"module.module.{name}": value for name, value in plain.items()}, "epoch": 1},
        plain,
    ):
        before = {key: list(value) if isinstance(value, dict) else value for key, value in content.items()}
        found = convert.unwrapped(content)
        assert found.keys() == plain.keys() and all(found[name] is value for name, value in plain.items())
        assert all(list(content[key]) == value for key, value in before.items() if isinstance(value, list))
    half = {"module.a.weight": torch.zeros(2), "b.weight": torch.zeros(2)}
    assert convert.unwrapped(half).keys() == half.keys()
    for empty in ({}, {"state_dict": {}}):
        with pytest.raises(ValueError, match="the checkpoint: the state dict is empty"):
            convert.unwrapped(empty)
    with pytest.raises(ValueError, match="'epoch' is of type int; expected a tensor"):
        convert.unwrapped(plain | {"epoch": 3})


REFUSING = ("cps 50 branch 1", "openseg ResNet, activated", "dars 50", "dars deeplab", "auxsegnet", "group_wsss")


@pytest.mark.parametrize("name", [*REFUSING, "panet", "kpconv, small and modulated"])
def test_what_does_not_fit_is_named(name):
    case = CASES[name]
    state = case.state()
    needed = [n for n in state if not n.startswith(case.unused or "\0") and not n.endswith("num_batches_tracked")]
    two = [name for name in needed if name.endswith(".weight")][3:5]
    either = "|".join(re.escape(each.removeprefix("branch1.")) for each in two)  # first in the order of our network
    with pytest.raises(ValueError, match=f"2 tensors are missing, the first is .*({either})'"):
        case.converted({name: value for name, value in state.items() if name not in two})
    stray = f"{two[0].rpartition('.')[0]}.extra"
    with pytest.raises(ValueError, match=r"1 tensor is unknown, the first is .*extra'"):
        case.converted(state | {stray: torch.zeros(1)})
    with pytest.raises(ValueError, match=r" has shape \(2, 9\); expected \("):
        case.converted(state | {two[1]: torch.zeros(2, 9)})
    with pytest.raises(ValueError, match=r"'some\.weight'"):
        case.converted({"some.weight": torch.zeros(3, 3)})


def test_tables_have_no_name_twice_and_count_what_is_trained(case):
    names = [name for name, _ in case.table]
    assert len(names) == len(set(names))
    unused = sum(
        tables.parameters([(name, shape)]) for name, shape in case.table if name.startswith(case.unused or "\0")
    )
    frozen = tables.parameters([(n, s) for n, s in case.table if len(s) == 1 and (".bn" in n or n.startswith("bn7"))])
    fixed = frozen if case.module is auxsegnet_convert else 0
    if case.module is panet_convert:  # the trunk's scales and shifts are buffers of ours
        fixed = tables.parameters([(n, s) for n, s in case.table if ".conv_body." in n and len(s) == 1])
    assert tables.parameters(case.table) - unused - fixed == case.parameters


def test_blocks_that_our_point_network_cannot_have():
    state = {n: torch.zeros(()).expand(s) for n, s in tables.kpconv(levels=3, blocks=2, width=16)}
    state = {name: value for name, value in state.items() if not name.startswith("encoder_blocks.4.")}
    with pytest.raises(ValueError, match="tensors are missing"):
        kpconv_convert.from_kpconv(state)
    state = {name: value for name, value in state.items() if not name.startswith("encoder_blocks.7.")}
    with pytest.raises(ValueError, match="7 blocks to 64 channels from 16; expected a network that doubles"):
        kpconv_convert.from_kpconv(state)


def test_depths_and_branches_that_there_are_not():
    state = CASES["dars 50"].state()
    few = {name: value for name, value in state.items() if not name.startswith("layer3.5.")}
    with pytest.raises(ValueError, match=r"'layer3' has 5 blocks; expected 6 \(depth 50\) or 23 \(depth 101\)"):
        dars_convert.from_dars(few)
    state = CASES["cps 50 branch 1"].state()
    one = {name: value for name, value in state.items() if name.startswith("branch1.")}
    alone = {name.removeprefix("branch1."): value for name, value in one.items()}
    assert cps_convert.from_torchsemiseg(alone).keys() == cps_convert.from_torchsemiseg(one).keys()
    with pytest.raises(ValueError, match="there is no branch 2"):
        cps_convert.from_torchsemiseg(one, branch=2)
    with pytest.raises(ValueError, match="branch is 3; expected 1 or 2"):
        cps_convert.from_torchsemiseg(state, branch=3)
    with pytest.raises(ValueError, match=r"'head\.weight' belongs to neither branch"):
        cps_convert.from_torchsemiseg(state | {"head.weight": torch.zeros(1)})


def test_converting_leaves_the_random_stream_alone():
    state = CASES["kpconv, small and modulated"].state()
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    kpconv_convert.from_kpconv(state)
    assert torch.equal(torch.rand(2), expected)
