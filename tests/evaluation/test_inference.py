import io
import sys

import pytest
import torch

from autoencode.errors import DataError, RecipeError
from autoencode.evaluation import embed, reconstruct
from autoencode.io import progress
from autoencode.models.inference import MAX_VALUES_PER_BATCH, measuring, seeded, split

SHAPES = [(6, 5), (3, 9, 8), (11,)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", ["vae", "ae-dropout"])
def test_codes_and_images_without_noise_or_gradients(name, shape, make_model, make_data):
    model, x = make_model(name, shape), make_data(shape).test.x
    inputs = x.float() / 255 if x.dtype == torch.uint8 else x
    expected = model(inputs)
    model.train()
    codes, images = embed(model, x, batch_size=7), reconstruct(model, x, batch_size=7)
    assert model.training
    assert codes.shape == (23, 3)
    assert images.shape == x.shape
    for found, wanted in ((codes, expected.codes), (images, expected.images)):
        assert found.dtype == torch.float32
        assert not found.requires_grad
        torch.testing.assert_close(found, wanted.detach())


def test_bytes_floats_and_doubles_give_the_same(make_model, make_data):
    model, x = make_model("ae", (6, 5)), make_data((6, 5)).test.x
    codes = embed(model, x)
    torch.testing.assert_close(embed(model, x.float() / 255), codes)
    torch.testing.assert_close(embed(model, x.double() / 255), codes)


def test_no_examples_give_no_codes(make_model):
    model = make_model("conv-ae", (6, 5))
    assert embed(model, torch.zeros(0, 6, 5)).shape == (0, 3)
    assert reconstruct(model, torch.zeros(0, 6, 5)).shape == (0, 6, 5)


def test_every_module_is_left_in_its_own_mode(make_model):
    model = make_model("ae-dropout", (6, 5)).train()
    model.decoder.eval()
    before = {name: module.training for name, module in model.named_modules()}
    embed(model, torch.zeros(2, 6, 5))
    with pytest.raises(DataError, match=r"shape \(6, 5\), and these are \(5, 6\)"):
        reconstruct(model, torch.zeros(2, 5, 6))
    assert {name: module.training for name, module in model.named_modules()} == before


def test_half_and_tensor_core_precision_stay_outside(make_model):
    model, seen = make_model("ae", (6, 5)), []
    a, b = torch.rand(64, 256), torch.rand(256, 64)

    def look(*_):
        seen.append(torch.is_autocast_enabled("cpu"))
        seen.append(torch.backends.cuda.matmul.fp32_precision)
        seen.append(torch.backends.cudnn.conv.fp32_precision)
        # On processors where it is exact oneDNN may have leave to be less.
        exact = a.double() @ b.double()
        seen.append(bool(((a @ b - exact) / exact).abs().max() < 1e-5))

    model.encoder.network.register_forward_hook(look)
    x = torch.rand(5, 6, 5)
    exact = embed(model, x)
    before = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision("medium")
        with torch.autocast("cpu", torch.bfloat16):
            assert not torch.equal(model(x).codes, exact)
            seen.clear()
            assert torch.equal(embed(model, x), exact)
            assert torch.is_autocast_enabled("cpu")
        assert seen == [False, "ieee", "ieee", True]
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision(before)
    assert torch.backends.cudnn.allow_tf32


def test_gradients_flow_again_afterwards(make_model):
    model = make_model("ae", (6, 5))
    with measuring(model) as device:
        assert device.type == "cpu"
        assert not torch.is_grad_enabled()
    assert torch.is_grad_enabled()
    codes = embed(model, torch.zeros(2, 6, 5))
    model.train().decoder(codes).sum().backward()
    assert model.decoder.network.out.weight.grad is not None


def test_seeded_noise_leaves_the_noise_of_others_alone():
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    drawn = []
    for _ in range(2):
        with seeded(0, torch.device("cpu")):
            drawn.append(torch.rand(4))
    assert torch.equal(drawn[0], drawn[1])
    assert torch.equal(torch.rand(4), expected)


def test_large_examples_come_in_smaller_batches():
    assert [len(batch) for batch in split(torch.zeros(10, 3), 4)] == [4, 4, 2]
    large = torch.zeros(1).expand(10, MAX_VALUES_PER_BATCH // 4)
    assert [len(batch) for batch in split(large, 2048)] == [4, 4, 2]
    assert [
        len(batch) for batch in split(torch.zeros(1).expand(2, 2 * MAX_VALUES_PER_BATCH), 9)
    ] == [1, 1]


@pytest.mark.parametrize("batch_size", [0, -1, 1.5])
def test_a_batch_holds_a_whole_number_of_examples(batch_size, make_model):
    with pytest.raises(RecipeError, match="batch_size must be a whole number from 1"):
        embed(make_model("ae", (6, 5)), torch.zeros(2, 6, 5), batch_size=batch_size)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "patience", "shown"),
    [(Terminal, 0.0, True), (Terminal, 60.0, False), (io.StringIO, 0.0, False)],
    ids=["a terminal", "a terminal, quickly done", "a file"],
)
def test_a_bar_is_for_terminals_and_for_what_takes_long(
    stream, patience, shown, make_model, monkeypatch
):
    written = stream()
    monkeypatch.setattr(progress, "DELAY_SECONDS", patience)
    monkeypatch.setattr(sys, "stderr", written)
    monkeypatch.setenv("TERM", "xterm")
    embed(make_model("ae", (6, 5)), torch.zeros(20, 6, 5), batch_size=2)
    assert ("embedding" in written.getvalue()) == shown
    assert shown or not written.getvalue()
