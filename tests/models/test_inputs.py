"""The kinds of input that every public method of a model takes, and what each refuses."""

import copy
import re
from typing import ClassVar

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from autoencode.contract import Code
from autoencode.data.preprocessing import Preprocessing
from autoencode.errors import DataError
from autoencode.evaluation import decode, embed, reconstruct
from autoencode.models.build import build, sizes_for
from autoencode.models.inputs import unchecked
from autoencode.models.recipes.table import RECIPES
from autoencode.report import interpolate, plot, plot_latent, plot_reconstructed

NAMES = ("ae", "vae", "cvae", "m2", "m1-m2", "conv-ae", "vq-vae", "ladder-vae")
SMALL = {"network.hidden": (8,), "network.channels": (4, 8), "network.widths": (4, 8)}
N, GREY, COLOUR = 4, (8, 8), (3, 8, 12)


def small(name, x=GREY):
    recipe = RECIPES[name]
    for address in SMALL.keys() & recipe.addresses():
        recipe = recipe.set(address, SMALL[address])
    return build(recipe, sizes_for(recipe, x, context=3 if recipe.context else 0, n=100), seed=0)


@pytest.fixture(scope="module")
def models():
    return {name: small(name).eval() for name in NAMES}


def labels_for(model):
    return torch.tensor([0, 1, 2, 0]) if model.sizes.context else None


def bytes_of(*shape):
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (N, *shape), generator=generator, dtype=torch.uint8)


def read_only(array):
    array.setflags(write=False)
    return array


def shifted(array):
    """The same values at an address that is no multiple of their size."""
    raw = np.empty(array.nbytes + 1, np.uint8)
    copied = raw[1:].view(array.dtype).reshape(array.shape)
    copied[...] = array
    return copied


WHOLE = bytes_of(*GREY)
X = WHOLE.float() / 255
ARRAY = X.numpy()

# Kind -> the input, and the float32 tensor that it stands for.
EXAMPLES = {
    "float16": (X.half(), X.half().float()),
    "bfloat16": (X.bfloat16(), X.bfloat16().float()),
    "float32": (X, X),
    "float64": (X.double(), X),
    "uint8": (WHOLE, X),
    "bool": (WHOLE > 99, (WHOLE > 99).float()),
    "sparse": (X.to_sparse(), X),
    "array float16": (X.half().numpy(), X.half().float()),
    "array float32": (ARRAY, X),
    "array float64": (ARRAY.astype(np.float64), X),
    "array longdouble": (ARRAY.astype(np.longdouble), X),
    "array uint8": (WHOLE.numpy(), X),
    "array bool": (WHOLE.numpy() > 99, (WHOLE > 99).float()),
    "read-only": (read_only(ARRAY.copy()), X),
    "negative strides": (ARRAY[::-1, ::-1].copy()[::-1, ::-1], X),
    "negative stride of one": (ARRAY[:1][::-1], X[:1]),
    "Fortran order": (np.asfortranarray(ARRAY), X),
    "big endian": (ARRAY.astype(">f4"), X),
    "big endian float64": (ARRAY.astype(">f8"), X),
    "not aligned": (shifted(ARRAY), X),
    "every other": (np.repeat(ARRAY, 2, 0)[::2], X),
    "no mask": (np.ma.MaskedArray(ARRAY), X),
    "nested lists": (ARRAY.tolist(), X),
    "list of arrays": (list(ARRAY), X),
    "list of tensors": (list(X), X),
    "tuple of tensors": (tuple(X), X),
    "with a channel": (ARRAY[:, None], X[:, None]),
    "images": ([Image.fromarray(each) for each in WHOLE.numpy()], X[:, None]),
    "an image": (Image.fromarray(WHOLE[0].numpy()), X[:1, None]),
    "images of palettes": (
        [Image.fromarray(each).convert("P") for each in WHOLE.numpy()],
        X[:, None],
    ),
    "images of 16 bits": (
        [Image.fromarray(each.astype(np.uint16) * 257) for each in WHOLE.numpy()],
        X[:, None],
    ),
    "images of floats": ([Image.fromarray(each) for each in ARRAY], X[:, None]),
}
FROM_EXAMPLES = {
    "model": lambda model, x, c: tuple(model(x, c)),
    "encoder": lambda model, x, c: (model.encoder(x, c),),
    "encode": lambda model, x, c: (model.encode(x, c).z,),
    "embed": lambda model, x, c: (embed(model, x, c),),
    "reconstruct": lambda model, x, c: (reconstruct(model, x, c),),
    "predict_proba": lambda model, x, c: (
        (model.predict_proba(x), model.predict(x)) if hasattr(model, "predict") else ()
    ),
}
FROM_CODES = {
    "decoder": lambda model, z, c: model.decoder(z, c),
    "decode": lambda model, z, c: model.decode(z, c).mean,
    "function": decode,
}


def same(found, wanted):
    for one, other in zip(found, wanted, strict=True):
        assert one.dtype == other.dtype
        assert torch.equal(one, other)


# Of a tuple, these take the parts of raw data, (x, y).
RAW_ENTRIES = {"embed", "reconstruct"}


@pytest.fixture(scope="module")
def expected(models):
    """expected(entry, name, x, context) of examples that several kinds stand for, made once."""
    known = {}

    def made(entry, name, x, context):
        key = entry, name, id(x)
        if key not in known:
            known[key] = FROM_EXAMPLES[entry](models[name], x, context)
        return known[key]

    return made


@pytest.mark.long
@pytest.mark.parametrize("kind", EXAMPLES)
def test_examples_of_every_kind_give_the_same_bits(models, expected, kind):
    given, reference = EXAMPLES[kind]
    before = copy.deepcopy(given)
    for name, model in models.items():
        context = labels_for(model)
        context = None if context is None else context[: len(reference)]
        for entry in FROM_EXAMPLES.keys() - (RAW_ENTRIES if isinstance(given, tuple) else set()):
            found = FROM_EXAMPLES[entry](model, given, context)
            same(found, expected(entry, name, reference, context))
    if isinstance(given, np.ndarray):
        assert np.array_equal(given, before), "inputs stay as they are"


def codes_from(values, sizes):
    """Codes of the type of some examples, and with their values."""
    if isinstance(values, torch.Tensor):
        flat = values.to_dense().flatten(1)
        return torch.cat([flat] * 8, 1)[:, : sizes.latent].reshape(-1, *sizes.z)
    array = np.asarray(values)
    array = np.concatenate([array.reshape(len(array), -1)] * 8, 1)
    codes = array[:, : sizes.latent].reshape(-1, *sizes.z)
    return codes.tolist() if isinstance(values, list) else codes


@pytest.mark.parametrize("kind", [kind for kind in EXAMPLES if "image" not in kind])
def test_codes_of_every_kind_give_the_same_bits(models, kind):
    given, reference = EXAMPLES[kind]
    if kind == "uint8" or kind == "array uint8":
        reference = reference * 255  # codes are not scaled
    for model in models.values():
        context = labels_for(model)
        context = None if context is None else context[: len(reference)]
        for entry in FROM_CODES.values():
            found = entry(model, codes_from(given, model.sizes), context)
            wanted = entry(model, codes_from(reference, model.sizes), context)
            same([found], [wanted])


@pytest.mark.parametrize(
    "layout",
    [
        lambda z: z[:, ::-1].copy()[:, ::-1],
        lambda z: z[::-1].copy()[::-1],
        np.asfortranarray,
        lambda z: z.astype(">f4"),
        lambda z: read_only(z.copy()),
        shifted,
        lambda z: z.tolist(),
    ],
)
def test_codes_of_every_memory_layout(models, layout):
    for model in models.values():
        z = torch.randn(N, *model.sizes.z, generator=torch.Generator().manual_seed(1))
        given, context = layout(z.numpy()), labels_for(model)
        assert torch.equal(model.decoder(given, context), model.decoder(z, context))
        assert torch.equal(decode(model, given, context), decode(model, z, context))


@pytest.mark.parametrize(
    "given",
    [
        [0, 1, 2, 0],
        (0, 1, 2, 0),
        np.array([0, 1, 2, 0], np.uint8),
        np.array([0, 1, 2, 0], ">i8"),
        np.array([0, 0, 2, 1, 1, 0])[[0, 3, 2, 1]].astype(np.int32)[::-1][::-1],
        torch.tensor([0, 1, 2, 0], dtype=torch.int16),
        np.eye(3)[[0, 1, 2, 0]],
        np.eye(3, dtype=np.float16)[[0, 1, 2, 0]].tolist(),
    ],
)
@pytest.mark.parametrize("name", ["cvae", "m2", "m1-m2"])
def test_labels_of_every_kind(models, name, given):
    model, labels = models[name], torch.tensor([0, 1, 2, 0])
    same(model(X, given), model(X, labels))
    z = model.encode(X, given).z
    assert torch.equal(model.decoder(z, given), model.decoder(z, labels))
    assert torch.equal(embed(model, X, given), embed(model, X, labels))
    assert torch.equal(decode(model, z, given), decode(model, z, labels))


def test_one_label_decodes_a_whole_batch(models):
    z = torch.randn(5, models["cvae"].sizes.latent)
    wanted = models["cvae"].decoder(z, torch.ones(5, dtype=torch.long))
    assert torch.equal(models["cvae"].decoder(z, [1]), wanted)


def test_inputs_get_the_precision_of_the_model():
    model = small("vae").eval().double()
    codes, images = model(ARRAY)
    assert codes.dtype == images.dtype == torch.float64
    assert torch.equal(codes, model.encoder(X.double()))
    assert torch.equal(model.encoder(WHOLE), model.encoder(WHOLE.double() / 255))
    assert model.decoder([[0, 1]]).dtype == torch.float64


def test_tensors_that_are_not_contiguous(models):
    x = X.movedim(0, -1).contiguous().movedim(-1, 0)
    assert not x.is_contiguous()
    for model in models.values():
        context = labels_for(model)
        torch.testing.assert_close(model.encoder(x, context), model.encoder(X, context))


def apply(fix, **values):
    """The input after the first fix of a message, evaluated as Python."""
    (code,) = re.findall(r": (.+?)(?:\.$|,? or take| for values)", fix)
    return eval(code, {"torch": torch, "np": np, **values})


@pytest.mark.parametrize("kind", ["tensor", "array", "lists"])
@pytest.mark.parametrize("x", [GREY, COLOUR, (9,), (1, 8, 8)])
def test_a_single_example_is_refused_and_the_fix_works(x, kind):
    model = small("ae", x).eval()
    images = bytes_of(*x) / 255
    batch = {"tensor": images, "array": images.numpy(), "lists": images.numpy().tolist()}[kind]
    for entry in (model, model.encoder, model.encode, lambda one: embed(model, one)):
        if x == (1, 8, 8):
            assert entry(batch[0]) is not None, "a batch of one, without its channel"
            continue
        with pytest.raises(DataError, match=r"one example.*takes a batch.*x\[:1\]") as refused:
            entry(batch[0])
        fixed = apply(refused.value.fix, x=batch[0])
        assert torch.equal(model.encoder(fixed), model.encoder(batch[:1]))


@pytest.mark.parametrize("kind", ["tensor", "array", "lists"])
@pytest.mark.parametrize("name", ["ae", "cvae", "m2", "vq-vae", "ladder-vae"])
def test_a_single_code_is_refused_and_the_fix_works(models, name, kind):
    model = models[name]
    context = None if labels_for(model) is None else labels_for(model)[:1]
    z = torch.randn(2, *model.sizes.z, generator=torch.Generator().manual_seed(0))
    batch = {"tensor": z, "array": z.numpy(), "lists": z.tolist()}[kind]
    for entry in FROM_CODES.values():
        with pytest.raises(DataError, match=r"one code.*takes a batch.*z\[:1\]") as refused:
            entry(model, batch[0], context)
        fixed = apply(refused.value.fix, z=batch[0])
        wanted = entry(model, batch[:1], context)
        assert torch.equal(entry(model, fixed, context), wanted)


@pytest.mark.parametrize(
    ("x", "given", "shape"),
    [
        (COLOUR, (N, 8, 12, 3), (N, 8, 12, 3)),
        (GREY, (N, 64), (N, 64)),
        ((64,), (N, 8, 8), (N, 8, 8)),
        ((12,), (N, 3, 4), (N, 3, 4)),
    ],
)
@pytest.mark.parametrize("convert", [torch.Tensor.clone, torch.Tensor.numpy, torch.Tensor.tolist])
def test_examples_in_another_order_are_refused_and_the_fix_works(x, given, shape, convert):
    model = small("ae", x).eval()
    values = torch.rand(given, generator=torch.Generator().manual_seed(0))
    wrong = convert(values)
    with pytest.raises(DataError) as refused:
        model(wrong)
    fixed = apply(refused.value.fix, x=wrong)
    wanted = values.movedim(-1, 1) if x == COLOUR else values.reshape(N, *x)
    assert torch.equal(model.encoder(fixed), model.encoder(wanted))


@pytest.mark.parametrize(
    "convert", [torch.Tensor.long, lambda x: x.int().numpy(), torch.Tensor.tolist]
)
def test_integers_are_refused_and_the_fix_works(models, convert):
    given = convert(WHOLE)
    with pytest.raises(DataError, match=r"int64|int32") as refused:
        models["ae"](given)
    assert torch.equal(models["ae"].encoder(apply(refused.value.fix, x=given)), models["ae"](X)[0])


def test_codes_of_one_dimension_need_a_second():
    model = build(RECIPES["ae"].but(latent=1), {"x": GREY, "z": (1,)}, seed=0).eval()
    values = torch.linspace(-1, 1, 5)
    with pytest.raises(DataError, match=r"shape \(1,\), and these are \(5,\)") as refused:
        model.decoder(values)
    assert torch.equal(
        model.decoder(apply(refused.value.fix, z=values)), model.decoder(values[:, None])
    )


BAD = {"NaN": torch.nan, "infinity": torch.inf, "minus infinity": -torch.inf}


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("convert", [torch.Tensor.clone, torch.Tensor.numpy, torch.Tensor.tolist])
def test_values_that_are_not_finite_are_refused_and_the_fix_works(models, convert, bad):
    x = X.clone()
    x[1, 2, 3] = x[3, 0, 0] = BAD[bad]
    given, clean = convert(x), torch.where(x.isfinite(), x, 0)
    for model in models.values():
        context = labels_for(model)
        for name, entry in FROM_EXAMPLES.items():
            if name == "predict_proba" and not hasattr(model, "predict"):
                continue
            with pytest.raises(DataError, match="2 of these 4 examples contain NaN") as refused:
                entry(model, given, context)
            fixed = apply(refused.value.fix, x=given)
            same(entry(model, fixed, context), entry(model, clean, context))
        z = torch.zeros(N, *model.sizes.z)
        z.flatten(1)[2, 0] = BAD[bad]
        for entry in FROM_CODES.values():
            with pytest.raises(DataError, match="1 of these 4 codes contain NaN"):
                entry(model, convert(z), context)
    with pytest.raises(DataError, match="labels or vectors contain NaN"):
        models["cvae"].encoder(X, torch.full((N, 3), BAD[bad]))


@pytest.mark.parametrize("convert", [torch.Tensor.clone, torch.Tensor.numpy, torch.Tensor.tolist])
def test_models_of_missing_values_take_nan_and_refuse_infinity(convert):
    recipe = RECIPES["vae"].set("likelihood", "table").set("likelihood.missing", True)
    recipe = recipe.set("network.hidden", (8,))
    model = build(recipe, sizes_for(recipe, (6,), n=100), seed=0).eval()
    x = torch.rand(N, 6, generator=torch.Generator().manual_seed(0))
    x[1, 2] = torch.nan
    for entry in (model, model.encoder, model.encode, lambda x: embed(model, x)):
        x[0, 0] = 0.5
        entry(convert(x))
        x[0, 0] = torch.inf
        given = convert(x)
        with pytest.raises(DataError, match="1 of these 4 examples contain infinity") as refused:
            entry(given)
        entry(apply(refused.value.fix, x=given))


def test_large_values_that_are_finite_are_not_refused(models):
    """Their sum overflows."""
    x = torch.full((N, *GREY), 3e38)
    assert not x.sum().isfinite()
    models["ae"].encoder(x)


def test_nothing_is_checked_in_training_mode():
    x = torch.full((N, *GREY), torch.nan)
    model = small("ae")
    assert model(x).codes.isnan().all()
    with pytest.raises(DataError, match="NaN"):
        model.eval()(x)
    with unchecked():
        assert model(x).codes.isnan().all()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("mnist", "are a str, and must be real numbers.*nested lists"),
        (None, "are a NoneType"),
        ({"x": X}, "are a dict"),
        ((each for each in X), "are a generator"),
        (ARRAY.astype(str), "of type <U"),
        (ARRAY.astype(complex), "complex128"),
        (X.to(torch.complex64), "complex64"),
        ([[1.0, 2.0], [3.0]], "cannot be made one array"),
        ([X[0], X[0, :4]], "cannot be made one array"),
        (torch.zeros(N, *GREY, dtype=torch.int64), r"uint8.*int64.*x\.to\(torch\.uint8\)"),
        (np.zeros((N, *GREY), np.int32), r"uint8.*int32.*x\.astype\('uint8'\)"),
        (np.zeros((N, *GREY), int).tolist(), r"uint8.*np\.array\(x\)\.astype"),
        (np.ma.MaskedArray(ARRAY, ARRAY > 0.5), r"masked.*x\.filled\(0\)"),
        ([], r"\(8, 8\)"),
        (0.5, r"\(8, 8\)"),
        (X.to("meta"), r'on meta, and the model is on cpu.*x\.to\("cpu"\)'),
        (Image.new("L", (12, 8)), r"8 × 8 pixels.*12 × 8.*image\.resize\(\(8, 8\)\)"),
    ],
)
def test_what_is_no_batch_of_examples_is_refused(models, given, message):
    model = models["ae"]
    for entry in (model, model.encoder, model.encode):
        with pytest.raises(DataError, match=message):
            entry(given)
    if not (isinstance(given, torch.Tensor) and given.is_meta):
        # Paths and mappings are raw data here.
        raw = isinstance(given, str | dict)
        with pytest.raises(DataError, match="how its data were preprocessed" if raw else message):
            embed(model, given)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("two", "are a str"),
        ([[1.0], [2.0, 3.0]], "cannot be made one array"),
        (torch.zeros(3, 7), r"shape \(2,\), and these are \(3, 7\)"),
        (torch.zeros(3), r"shape \(2,\), and these are \(3,\)"),
        (torch.zeros(()), r"shape \(2,\)"),
        (torch.zeros(3, 2, device="meta"), r"on meta.*z\.to"),
        (torch.zeros(3, 2, dtype=torch.complex64), "complex64"),
    ],
)
def test_what_is_no_batch_of_codes_is_refused(given, message):
    model = small("ae").eval()
    assert model.sizes.z == (2,)
    for entry in (model.decoder, model.decode):
        with pytest.raises(DataError, match=message):
            entry(given)


def test_images_get_the_channels_of_the_model():
    grey, colour = small("ae").eval(), small("conv-ae", COLOUR).eval()
    whole = bytes_of(*COLOUR)
    pictures = [Image.fromarray(each.movedim(0, -1).numpy()) for each in whole]
    assert torch.equal(colour.encoder(pictures), colour.encoder(whole))
    flat = Image.fromarray(whole[0, 0].numpy())
    repeated = whole[:1, :1].expand(1, 3, 8, 12)
    assert torch.equal(colour.encoder(flat), colour.encoder(repeated))
    squares = [picture.crop((0, 0, 8, 8)) for picture in pictures]
    luma = torch.from_numpy(np.stack([np.asarray(each.convert("L")) for each in squares]))
    with pytest.warns(UserWarning, match="4 of 4 images are in colour"):
        found = grey.encoder(squares)
    assert torch.equal(found, grey.encoder(luma))
    with pytest.raises(DataError, match=r"shape \(9,\), and PIL images"):
        small("ae", (9,)).encoder(flat)


def test_the_fix_of_an_image_of_another_size_works():
    model = small("ae", (6, 10)).eval()
    turned = Image.new("L", (12, 20), 128)
    turned.getexif()[0x0112] = 6
    for image in (Image.new("L", (12, 20), 128), turned):
        with pytest.raises(DataError) as refused:
            model(image)
        (fix,) = re.findall(r"Resize it: (.+)\.", refused.value.fix)
        fixed = eval(fix, {"image": image, "ImageOps": ImageOps})
        assert model(fixed).images.shape == (1, 1, 6, 10)


def test_labels_of_another_number_are_refused(models):
    for name in ("cvae", "m2", "m1-m2"):
        model = models[name]
        z = model.encode(X, [0, 1, 2, 0]).z
        for wrong in ([0, 1], [0] * 5, np.zeros((2, 3)), 1):
            for entry in (model, model.encoder, lambda x, c, m=model: embed(m, x, c)):
                with pytest.raises(DataError, match="batch has 4 entries"):
                    entry(X, wrong)
            for entry in FROM_CODES.values():
                with pytest.raises(DataError, match="batch has 4 entries"):
                    entry(model, z, wrong)
        with pytest.raises(DataError, match="real numbers"):
            model(X, ["cat", "dog", "cat", "cow"])
    for entry in (models["ae"], models["ae"].encoder):
        with pytest.raises(DataError, match=r"not conditioned.*Leave out"):
            entry(X, [0, 1, 2, 0])


class CountedChecks(Preprocessing):
    """Counts the examples that are checked."""

    seen: ClassVar = []

    def check(self, x):
        self.seen.append(len(x))
        super().check(x)


@pytest.mark.parametrize("name", NAMES)
def test_the_preprocessing_checks_the_values_once(name):
    model = small(name)
    assert model.preprocessing is None
    model.preprocessing = check = CountedChecks(GREY)
    context = labels_for(model)
    entries = [entry for name, entry in FROM_EXAMPLES.items() if name != "predict_proba"]
    for training in (True, False):
        model.train(training)
        for entry in entries:
            check.seen.clear()
            if training and entry not in (FROM_EXAMPLES["embed"], FROM_EXAMPLES["reconstruct"]):
                entry(model, X * 255, context)
                assert not check.seen
                continue
            entry(model, X, context)
            assert check.seen == [N]
            entry(model, WHOLE.numpy(), context)
            assert check.seen == [N, N]
            with pytest.raises(DataError, match=r"this model takes values in \[0, 1\]"):
                entry(model, X * 255, context)
            entry(model, X[:0], None if context is None else context[:0])
    model.forward_pass(X * 255, context)
    twin = copy.deepcopy(model)
    with pytest.raises(DataError, match=r"this model takes values in \[0, 1\]"):
        twin.encoder(X * 255, context)
    assert not [key for key in model.state_dict() if "preprocessing" in key]


@pytest.mark.parametrize("name", NAMES)
def test_gradients_flow_to_inputs_that_require_them(models, name):
    model = models[name]
    context, discrete = labels_for(model), name == "vq-vae"
    x = X.clone().requires_grad_()
    for found in (model.encoder(x, context), model.encode(x, context).z, model(x, context).images):
        assert found.requires_grad
        (slope,) = torch.autograd.grad(found.sum(), x, allow_unused=discrete)
        assert discrete or slope.abs().sum() > 0
    z = model.encode(X, context).z.clone().requires_grad_()
    for found in (model.decoder(z, context), model.decode(z, context).mean):
        (slope,) = torch.autograd.grad(found.sum(), z)
        assert slope.abs().sum() > 0
    with torch.no_grad():
        assert not model(x, context).images.requires_grad
    assert not model(X, context).images.requires_grad


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_transforms_of_torch_func_work(models):
    """Jacobians with respect to inputs, in evaluation mode, without a check of traced values."""
    for name in ("ae", "vae", "conv-ae"):
        model = models[name]
        x, z = X.clone(), model.encode(X).z

        def one(each, model=model):
            return model.encoder(each[None])[0]

        forward = torch.func.vmap(torch.func.jacfwd(one))(x)
        backward = torch.func.vmap(torch.func.jacrev(one))(x)
        torch.testing.assert_close(forward, backward, atol=1e-5, rtol=1e-4)
        rows = torch.autograd.functional.jacobian(model.encoder, x)
        for i in range(N):
            torch.testing.assert_close(rows[i, :, i], backward[i], atol=1e-5, rtol=1e-4)
        slope = torch.func.grad(lambda z, model=model: model.decoder(z).sum())(z)
        assert slope.abs().sum() > 0


@pytest.mark.long
def test_a_compiled_model_is_one_graph(models):
    model = models["vae"]
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    same(compiled(X), model(X))


def test_hooks_of_encoder_and_decoder_are_called(models):
    seen: ClassVar = []
    handles = [
        part.register_forward_hook(lambda module, *_: seen.append(module))
        for part in (models["ae"].encoder, models["ae"].decoder)
    ]
    models["ae"](X)
    for handle in handles:
        handle.remove()
    assert seen == [models["ae"].encoder, models["ae"].decoder]


@pytest.mark.parametrize("kind", ["uint8", "float64", "negative strides", "nested lists", "images"])
@pytest.mark.long
def test_plots_take_examples_of_every_kind(models, kind):
    given, reference = EXAMPLES[kind]
    model = models["vae"]
    labels = [0, 1, 1, 0]
    for drawn in (plot, plot_latent):
        for y in (labels, np.array(labels, np.uint8)):
            found = drawn(model, (given, y)).pixels(20)
            assert np.array_equal(found, drawn(model, (reference, torch.tensor(labels))).pixels(20))
    ends = interpolate(model, given[0], given[1], n=2).pixels(20)
    assert np.array_equal(ends, interpolate(model, X[0], X[1], n=2).pixels(20))
    with pytest.raises(DataError, match="NaN"):
        plot(model, np.where(ARRAY > 0.5, np.nan, ARRAY))
    with pytest.raises(DataError, match="NaN"):
        interpolate(model, X[0] / 0, X[1])


@pytest.mark.long
def test_plots_of_a_conditional_model_take_labels_of_every_kind(models):
    model = models["cvae"]
    wanted = plot_reconstructed(model, n=2, context=torch.tensor(1)).pixels(20)
    for label in (1, np.int64(1), np.array(1), [0.0, 1.0, 0.0], np.array([0, 1, 0.0])):
        assert np.array_equal(plot_reconstructed(model, n=2, context=label).pixels(20), wanted)
    two = interpolate(model, X[0], X[1], n=2, context=torch.tensor([0, 1])).pixels(20)
    assert np.array_equal(interpolate(model, X[0], X[1], n=2, context=[0, 1]).pixels(20), two)
    with pytest.raises(DataError, match="batch has 2 entries"):
        interpolate(model, X[0], X[1], n=2, context=[0])


def test_a_code_keeps_its_posterior(models):
    code = models["vae"].encode(ARRAY, samples=3)
    assert isinstance(code, Code)
    assert code.z.shape[:2] == (3, N)
    assert not code.z.requires_grad
    assert not code.q.mean.requires_grad
