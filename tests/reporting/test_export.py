"""An ONNX file of a network computes what the network does, whatever its cells and batch size."""

import numpy as np
import pytest
import torch
from torch import nn

from sknas.blocks import NetworkShape
from sknas.derived import DerivedNetwork, NetworkSpec
from sknas.genotype import NAMED_CELLS, Branch, Genotype
from sknas.ops import registered_ops
from sknas.reporting.export import write_onnx
from tests.cells import DRAWN, FIXED, RANDOM
from tests.tiny import CODED_PADDED, PADDED, SHAPE, branch, generator, perturb, windows

pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")

MISSING = NetworkShape(3, 7, 2, 2, (2, 0), has_missing=True)
QUANTILES = NetworkShape(3, 7, 2, 2, (2, 0), quantiles=(0.1, 0.5, 0.9))
KNOWN = NetworkShape(4, 7, 2, 2, (1, 0), n_covariates=1, has_missing=True)


class Told(nn.Module):
    """A network that returns a tuple, as what is written does."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, past):
        return (self.network(past),)


def build(genotype, shape=SHAPE, norm="last", mode="mixed"):
    spec = NetworkSpec(genotype, shape, norm, mode)
    network = DerivedNetwork(spec, generator=generator(), dtype=torch.float64)
    perturb(network)
    return network.eval()


def session(network, path, shape):
    example = {"past": windows(shape, 2)}
    write_onnx(Told(network), path, example, {"output": 0}, {"note": "kept"})
    return ort.InferenceSession(path)


def assert_same(network, path, shape=SHAPE, samples=windows):
    written = session(network, path, shape)
    for n in (1, 3, 64):
        past = samples(shape, n, seed=n)
        with torch.no_grad():
            expected = network(past).numpy()
        (found,) = written.run(None, {"past": past.numpy()})
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


# As many random cells as it takes to have every operation.
CHOSEN = [name for name in FIXED if name not in RANDOM or name in list(RANDOM)[:12]]


def test_every_operation_is_written():
    written = {node.operation for name in CHOSEN for node in FIXED[name].nodes}
    assert written == set(registered_ops())


@pytest.mark.parametrize("name", CHOSEN)
def test_every_cell_is_written_as_it_is(name, tmp_path):
    assert_same(build(Genotype((Branch((FIXED[name],), 4, 2, "mixed", 3),))), tmp_path / "a.onnx")


def with_gaps(shape, n, *, seed):
    """Leave values out: single ones, the first ones of a channel, a whole channel."""
    past = windows(shape, n, seed=seed)
    past[0, 0, 2:4] = past[-1, 1, :3] = past[n // 2, 2] = torch.nan
    return past


BRANCHES = {
    "seed alone": Genotype(),
    "layers": Genotype((branch("lstm", n_layers=2), branch("gru", segment_length=7))),
    "channels": Genotype((branch("gru", channel_mode="independent"), branch("darts"))),
    "steps": Genotype((branch("product", segment_length=1),)),
}


@pytest.mark.parametrize("norm", ["none", "last", "level", "revin"])
@pytest.mark.parametrize("shape", [SHAPE, PADDED, MISSING, QUANTILES, KNOWN])
@pytest.mark.parametrize("name", BRANCHES)
def test_every_kind_of_window_is_read_as_it_is(name, shape, norm, tmp_path):
    mode = "independent" if name == "channels" else "mixed"
    network = build(BRANCHES[name], shape, norm, mode)
    samples = with_gaps if shape.has_missing else windows
    assert_same(network, tmp_path / "a.onnx", shape, samples)


def test_codes_are_looked_up(tmp_path):
    assert_same(build(BRANCHES["layers"], CODED_PADDED, "none"), tmp_path / "a.onnx", CODED_PADDED)


def test_a_file_does_not_grow_with_the_lookback(tmp_path):
    sizes, nodes = [], []
    for lookback in (20, 200):
        shape = NetworkShape(1, lookback, 1, 1, None)
        onnx = pytest.importorskip("onnx")
        network = build(Genotype((branch("lstm", segment_length=1),)), shape)
        session(network, tmp_path / "a.onnx", shape)
        model = onnx.load(tmp_path / "a.onnx")
        sizes.append((tmp_path / "a.onnx").stat().st_size - 8 * lookback)
        nodes.append([node.op_type for node in model.graph.node])
    assert nodes[0] == nodes[1]
    assert nodes[0].count("Scan") == 1
    assert abs(sizes[1] - sizes[0]) < 100


def test_writing_leaves_the_network_and_the_caller_as_they_were(tmp_path, recwarn, capfd):
    network = build(BRANCHES["layers"])
    past, state = windows(), torch.get_rng_state()
    before, names = network(past), [name for name, _ in network.named_modules()]
    session(network, tmp_path / "a.onnx", SHAPE)
    assert torch.equal(network(past), before)
    assert [name for name, _ in network.named_modules()] == names
    assert all(p.requires_grad for p in network.parameters())
    assert torch.equal(torch.get_rng_state(), state)
    assert not recwarn.list
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", [*NAMED_CELLS, *list(DRAWN)[:3]])
def test_torch_exports_a_network_of_every_named_and_of_drawn_cells(name):
    network = build(Genotype((Branch((FIXED[name],), 4, 3, "mixed", 3),))).requires_grad_(False)
    sizes = {"past": {0: torch.export.Dim("batch", min=1)}}
    exported = torch.export.export(network, (windows(),), dynamic_shapes=sizes).module()
    for n in (2, 5, 70):
        past = windows(n=n, seed=n)
        torch.testing.assert_close(exported(past), network(past), rtol=0, atol=1e-12)
