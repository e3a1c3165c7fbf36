"""Arrays of every kind: how they are read, or why not, and that the advice of a refusal works."""

import re
import shlex

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import Dataset, IterableDataset, Subset

from autoencode.cli.main import main
from autoencode.data import check_source, load_data
from autoencode.errors import DataError

R = np.random.default_rng(0)
N = 12


def whole(low, high, *shape, dtype=np.int64):
    """Random whole numbers, of which some are `low` and some `high`."""
    x = R.integers(low, high, (N, *shape), dtype, endpoint=True)
    x.reshape(N, -1)[:, :2] = low, high
    return x


def even(low, high, *shape, dtype=np.float64):
    x = R.uniform(low, high, (N, *shape)).astype(dtype)
    x.reshape(N, -1)[:, :2] = low, high
    return x


def spike(value):
    x = np.full((N, 50, 50), 0.25)
    x[0, 0, 0] = value
    return x


def image(mode="L", size=(6, 5)):
    clear = Image.fromarray(R.integers(0, 256, (*size[::-1], 4), np.uint8), "RGBA")
    return clear if mode == "RGBA" else clear.convert("RGB").convert(mode)


def objects(items):
    x = np.empty(len(items), object)
    for i, item in enumerate(items):
        x[i] = item
    return x


class NoLength(Dataset):
    def __getitem__(self, i):
        return R.random((4, 4))


class Endless(IterableDataset):
    def __iter__(self):
        while True:
            yield np.zeros((100, 100))


def everything(data):
    return torch.cat([data.train.x, data.validation.x, data.test.x])


# Source, options, and then: shape, type, range, and words of the notices.
READ = {
    "bytes": (whole(0, 255, 5, 6, dtype=np.uint8), {}, (5, 6), "uint8", (0, 255), []),
    "bool": (even(0, 1, 9, 9) > 0.5, {}, (9, 9), "float32", (0, 1), []),
    "0 and 1": (whole(0, 1, 9, 9), {}, (9, 9), "float32", (0, 1), []),
    "float16": (even(0, 1, 7, dtype="f2"), {}, (7,), "float32", (0, 1), []),
    "bfloat16": (torch.rand(N, 7).bfloat16(), {}, (7,), "float32", (0, 1), []),
    "float8": (torch.rand(N, 70).to(torch.float8_e4m3fn), {}, (70,), "float32", (0, 1), []),
    "longdouble": (even(0, 1, 7, dtype=np.longdouble), {}, (7,), "float32", (0, 1), []),
    "big-endian": (even(0, 1, 7, dtype=">f8"), {}, (7,), "float32", (0, 1), []),
    "read-only": (np.broadcast_to(even(0, 1, 7)[:1], (N, 7)), {}, (7,), "float32", (0, 1), []),
    "strides": (even(0, 1, 9, 9)[::-1, ::-2, ::-1], {}, (5, 9), "float32", (0, 1), []),
    "conjugate": (
        torch.complex(torch.zeros(N, 7), -torch.rand(N, 7)).conj().imag,
        {},
        (7,),
        "float32",
        (0, 1),
        [],
    ),
    "channels first": (
        even(0, 1, 3, 8, 9),
        {},
        (3, 8, 9),
        "float32",
        (0, 1),
        ["3 channels of 8×9 (channels first). Give --channels-last (channels_last=True) for 9 "],
    ),
    "channels last": (
        even(0, 1, 8, 9, 3),
        {},
        (3, 8, 9),
        "float32",
        (0, 1),
        ["3 channels of 8×9 (channels last). Give --channels-first (channels_last=False) for 8 "],
    ),
    "two channels": (
        even(0, 1, 28, 28, 2),
        {},
        (28, 28, 2),
        "float32",
        (0, 1),
        ["28 channels of 28×2", "--channels-last (channels_last=True) for 2 channels of 28×28"],
    ),
    "two channels given": (
        even(0, 1, 28, 28, 2),
        {"channels_last": True},
        (2, 28, 28),
        "float32",
        (0, 1),
        ["Examples of shape (28, 28, 2) are read as 2 channels of 28×28 (channels last)."],
    ),
    "small and square": (
        even(0, 1, 4, 4, 3),
        {},
        (3, 4, 4),
        "float32",
        (0, 1),
        ["3 channels of 4×4 (channels last). Give --channels-first (channels_last=False)"],
    ),
    "both": (
        even(0, 1, 3, 64, 3),
        {},
        (3, 64, 3),
        "float32",
        (0, 1),
        ["3 channels of 64×3", "for 3 channels of 3×64"],
    ),
    "one channel": (
        even(0, 1, 1, 9, 8),
        {},
        (1, 9, 8),
        "float32",
        (0, 1),
        ["1 channel of 9×8 (channels first)"],
    ),
    "series": (even(0, 1, 3, 64), {}, (3, 64), "float32", (0, 1), ["grey images, 3 high and 64"]),
    "dark bytes": (
        whole(0, 40, 9, 9, dtype=np.uint8),
        {},
        (9, 9),
        "uint8",
        (0, 255),
        ["from 0 to 40, a small part of the range, 0 to 255", "--range 0 40 (value_range=(0, 40))"],
    ),
    "narrow bytes": (
        whole(100, 140, 9, 9, dtype=np.uint8),
        {},
        (9, 9),
        "uint8",
        (0, 255),
        ["--range 100 140"],
    ),
    "dark floats": (even(0, 0.05, 9, 9), {}, (9, 9), "float32", (0, 1), ["--range 0 0.05"]),
    "narrow floats": (even(0.5, 0.6, 9, 9), {}, (9, 9), "float32", (0, 1), ["--range 0.5 0.6"]),
    "range too wide": (
        even(0, 1, 9, 9),
        {"value_range": (0, 255)},
        (9, 9),
        "float32",
        (0, 255),
        ["a small part of the given range, 0 to 255", "--range 0 1 "],
    ),
    "12 bits": (
        whole(0, 4090, 9, 9, dtype=np.uint16),
        {"value_range": (0, 65535)},
        (9, 9),
        "float32",
        (0, 65535),
        ["--range 0 4095 (value_range=(0, 4095))"],
    ),
    "huge integers": (
        whole(0, 2**60 + 1, 9),
        {"value_range": (0, 2**60 + 1)},
        (9,),
        "float32",
        (0, 2**60),
        ["multiples of 256"],
    ),
    "constant": (np.full((N, 5, 5), 0.5), {}, (5, 5), "float32", (0, 1), ["All values are 0.5"]),
    "constant images": (
        np.concatenate([even(0, 1, 5, 5), np.zeros((2, 5, 5))]),
        {},
        (5, 5),
        "float32",
        (0, 1),
        ["2 of 14 images are constant: all of their values are equal. The first is example 12."],
    ),
    "auto": (
        even(-3, 9, 9, 9),
        {"value_range": "auto"},
        (9, 9),
        "float32",
        None,
        ["percentiles 0.1 and 99.9 of the training part", "are beyond and are clipped"],
    ),
    "auto bytes": (
        whole(0, 255, 9, 9, dtype=np.uint8),
        {"value_range": "auto"},
        (9, 9),
        "float32",
        None,
        ["percentiles"],
    ),
    "auto channels": (
        even(0, 1, 3, 9, 9) * np.array([1, 10, 0])[:, None, None],
        {"value_range": "auto", "per_channel": True},
        (3, 9, 9),
        "float32",
        None,
        ["of each channel", "channels 2 are equal"],
    ),
    "objects of arrays": (
        objects([*even(0, 1, 5, 6)]),
        {},
        (5, 6),
        "float32",
        (0, 1),
        [],
    ),
    "list of tensors": (list(torch.rand(N, 5, 6)), {}, (5, 6), "float32", (0, 1), []),
    "list of images": ([image() for _ in range(N)], {}, (5, 6), "uint8", (0, 255), []),
    "list of clear images": (
        [image("RGBA") for _ in range(N)],
        {},
        (3, 5, 6),
        "uint8",
        (0, 255),
        ["12 images have transparent parts, which became white."],
    ),
    "list of palettes": ([image("P") for _ in range(N)], {}, (3, 5, 6), "uint8", (0, 255), []),
    "list of CMYK": (
        [image("CMYK") for _ in range(N)],
        {},
        (3, 5, 6),
        "uint8",
        (0, 255),
        ["CMYK became RGB"],
    ),
    "mask of nothing": (
        np.ma.MaskedArray(even(0, 1, 7), mask=False),
        {},
        (7,),
        "float32",
        (0, 1),
        [],
    ),
}


@pytest.mark.parametrize("name", READ)
def test_arrays_are_read_as_stated(name):
    source, options, shape, dtype, span, words = READ[name]
    data = load_data(source, **options)
    assert data.shape == shape
    assert str(data.train.x.dtype) == f"torch.{dtype}"
    if span is not None:
        assert (data.preprocessing.low, data.preprocessing.high) == span
    notices = [n for n in data.notices if "also appear" not in n]
    assert all(any(word in notice for notice in notices) for word in words), notices
    assert bool(words) == bool(notices), notices
    check = check_source(source, **options)
    assert check.notices == data.notices
    assert check.usable


# Source, options, words of the refusal, and the fix: an option, or an expression of x.
REFUSED = {
    "0 to 16": (whole(0, 16, 9, 9), {}, "integers from 0 to 16", "--range 0 16"),
    "0 to 255": (whole(0, 255, 9, 9), {}, "integers from 0 to 255", "--range 0 255"),
    "0 to 250": (whole(0, 250, 9, 9), {}, "probably in the range 0..255", "--range 0 255"),
    "uint16": (whole(0, 4000, 9, dtype=np.uint16), {}, "0..4095", "--range 0 4095"),
    "deep uint16": (whole(0, 65535, 9, dtype=np.uint16), {}, "65535", "--range 0 65535"),
    "int8": (whole(-128, 127, 9, dtype=np.int8), {}, "from -128 to 127", "--range -128 127"),
    "int16": (whole(-1000, 3000, 9, dtype=np.int16), {}, "-1000 to", "--range -1000 3000"),
    "uint32": (whole(0, 2**32 - 1, 9, dtype=np.uint32), {}, "4294967295", "--range 0 4294967295"),
    "2^60": (whole(0, 2**60 + 1, 9), {}, "1152921504606846976", "--range 0 1152921504606846976"),
    "uint64": (np.full((N, 9), 2**64 - 1, np.uint64) - np.eye(N, 9, dtype=np.uint64), {}, "", ""),
    "-1 to 1": (even(-0.95, 0.8, 9, 9), {}, "-1..1", "--range -1 1"),
    "normal": (R.normal(size=(N, 9)), {}, "floats from", "--range"),
    "long digits": (
        even(-0.123456789, 1.98765432198, 9),
        {},
        "floats",
        "--range -0.123457 1.98765",
    ),
    "slightly negative": (even(-0.02, 0.4, 9), {}, "-0.02", "--range -0.02 0.4"),
    "8-bit floats": (even(0, 254.5, 9, 9), {}, "0..255", "--range 0 255"),
    "masks": (whole(0, 1, 9, 9, dtype=np.uint8), {}, "only 0 and 1", "--range 0 1"),
    "wrong range": (even(0, 300, 9), {"value_range": (0, 255)}, "outside", "--range 0 300"),
    "constant 7": (np.full((N, 9), 7), {}, "from 7 to 7", "--range 0 7"),
    "auto constant": (np.full((N, 9), 7), {"value_range": "auto"}, "are equal", "--range 0 7"),
    "auto spike": (spike(9), {"value_range": "auto"}, "are equal", "--range 0.25 9"),
    "1-D": (R.random(N), {}, "shape (12,)", "x[:, None]"),
    "5-D frames": (even(0, 1, 2, 3, 8, 9), {}, "(12, 2, 3, 8, 9)", "x.reshape(-1, *x.shape[-3:])"),
    "5-D vectors": (even(0, 1, 2, 3, 8, 9), {}, "(12, 2, 3, 8, 9)", "x.reshape(len(x), -1)"),
    "complex": (even(0, 0.7, 9) * (1 + 0j), {}, "complex128", "np.abs(x)"),
    "complex parts": (
        even(0, 0.7, 9, 9) * (1 + 1j),
        {},
        "complex128",
        "np.stack([x.real, x.imag], 1)",
    ),
    "dates": (
        np.arange(N * 3).reshape(N, 3).astype("datetime64[D]"),
        {},
        "datetime64",
        "x.astype(float)",
    ),
    "texts": (even(0, 1, 3).astype(str), {}, "not real numbers", "x.astype(float)"),
    "objects": (even(0, 1, 3).astype(object), {}, "type object", "x.astype(float)"),
    "masked": (np.ma.masked_less(even(0, 1, 9), 0.5), {}, "masked", "x.filled(0)"),
    "masked labels": (
        (even(0, 1, 9), np.ma.masked_equal(np.arange(N) % 3, 2)),
        {},
        "masked",
        "(x[0], x[1].filled(0))",
    ),
    "sparse tensor": (torch.eye(N).to_sparse(), {}, "sparse", "x.to_dense()"),
    "NaN": (
        np.where(even(0, 1, 9, 9) > 0.95, np.nan, 0.5),
        {},
        "contains NaN",
        "np.nan_to_num(x, posinf=0, neginf=0)",
    ),
    "missing": (
        np.where(np.eye(N, 9) > 0, np.nan, even(0, 1, 9)),
        {},
        "contains NaN",
        "--scale standard",
    ),
    "infinity": (
        np.where(even(0, 1, 9) > 0.9, np.inf, 0.5),
        {},
        "infinity",
        "np.nan_to_num(x, posinf=0, neginf=0)",
    ),
    "types in a list": (
        [*even(0, 1, 9), even(0, 1, 9)[0].astype(np.float32)],
        {},
        "example 12 is float32",
        "[np.asarray(each, np.float32) for each in x]",
    ),
    "parts": (
        {"x_train": whole(0, 255, 9, dtype=np.uint8), "x_test": even(0, 1, 9)},
        {},
        "different types",
        "{**x, 'x_train': x['x_train'] / 255}",
    ),
    "one image": (image(), {}, "read from Image", "[image]"),
    "no length": (NoLength(), {}, "no length", "Subset(dataset, range(1000))"),
    "channels of none": (even(0, 1, 9, 9), {"channels_last": True}, "no channels", None),
    "size of vectors": (even(0, 1, 9), {"size": (3, 3)}, "vectors", None),
    "per channel": (
        even(0, 1, 9, 9),
        {"value_range": "auto", "per_channel": True},
        "no channels",
        None,
    ),
}
IMPLIED = {  # fixes that the message gives in more words
    "(x[0], x[1].filled(0))": "x.filled(0)",
    "{**x, 'x_train': x['x_train'] / 255}": "x / 255",
}
OPTION = re.compile(r"\(((?:value_range|scale|channels_last|size)=(?:\([^)]*\)|[^)]*))\)")


def applied(source, options, message, fix):
    """The source and the options after the fix of a message."""
    if fix is None:  # the option that the message names is left out
        assert "Leave out" in message
        return source, {k: v for k, v in options.items() if f"{k}" not in message.split("out")[-1]}
    if "--" in fix or not fix:
        found = OPTION.findall(message)
        chosen = next(o for o in found if not fix or _command_line(o).startswith(fix))
        assert _command_line(chosen) in message
        return source, {**options, **eval(f"dict({chosen})")}
    assert IMPLIED.get(fix, fix) in message, message
    names = {"x": source, "image": source, "dataset": source, "np": np, "Subset": Subset}
    found = eval(fix, names)
    if "range='auto'" in message:
        options = {**options, "value_range": "auto"}
    return (found * 6 if fix == "[image]" else found), options


def _command_line(option):
    """An option of Python as words of the command line."""
    name, value = option.split("=", 1)
    flag = {"value_range": "range"}.get(name, name.replace("_", "-"))
    return f"--{flag} {value.strip('()').replace(',', '')}".replace("'", "")


@pytest.mark.parametrize("name", REFUSED)
def test_the_advice_of_a_refusal_works_as_written(name):
    source, options, words, fix = REFUSED[name]
    with pytest.raises(DataError) as caught:
        load_data(source, **options)
    message = str(caught.value)
    assert words in message
    source, options = applied(source, options, message, fix)
    x = everything(load_data(source, **options))
    assert torch.isfinite(x.float()).any()
    if fix and fix.startswith("--range"):
        # What is advised uses the range; the darkest and the brightest value are apart.
        x = x / (255 if x.dtype == torch.uint8 else 1)
        assert name.startswith("constant") or name == "auto constant" or x.max() - x.min() > 0.7


@pytest.mark.parametrize(
    "name", [n for n, case in REFUSED.items() if isinstance(case[0], np.ndarray) and case[3]]
)
def test_a_check_of_the_file_says_the_same_and_takes_the_advice(name, tmp_path, capsys):
    source, options, _, fix = REFUSED[name]
    if options or source.dtype == object or isinstance(source, np.ma.MaskedArray):
        pytest.skip("not a file, or with options")
    path = tmp_path / "x.npy"
    np.save(path, source)
    with pytest.raises(DataError) as caught:
        load_data(path)
    assert check_source(path).problems == (str(caught.value),)
    if not fix.startswith("--"):
        return
    words = shlex.split(_command_line(OPTION.findall(str(caught.value))[0]))
    if fix.startswith("--scale"):
        words = shlex.split(fix)
    with pytest.raises(SystemExit) as left:
        main(["data", "check", str(path), *words])
    assert left.value.code == 0, capsys.readouterr()


def test_scipys_sparse_matrices_are_refused_with_the_call_that_makes_them_dense():
    sparse = pytest.importorskip("scipy.sparse")
    for kind in (sparse.csr_matrix, sparse.coo_array, sparse.csc_array):
        x = kind(np.eye(N))
        with pytest.raises(DataError, match=r"sparse matrix.*x\.toarray\(\)"):
            load_data(x)
        with pytest.raises(DataError, match=r"x\.toarray\(\)"):
            load_data({"x": x, "y": np.zeros(N)})
        assert load_data(x.toarray()).shape == (N,)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ([np.zeros((4, 6)), np.zeros((5, 6))], ["example 0 has (4, 6)", "example 1 has (5, 6)"]),
        (objects([np.zeros(3), np.zeros(4)]), ["example 0 has (3,)", "example 1 has (4,)"]),
        ([image(), image("RGB")], ["(5, 6)", "(3, 5, 6)"]),
        ([image(), image(size=(9, 9))], ["(5, 6)", "(9, 9)", "--size"]),
        ([[1.0, 2.0], [3.0]], ["no array"]),
        (np.zeros((0, 5, 5)), ["empty", "(0, 5, 5)"]),
        (np.zeros((5, 0)), ["empty", "(5, 0)"]),
        (np.zeros((3, 2), [("a", "f4")]), ["pandas.DataFrame(x)"]),
        (torch.empty(5, 3, device="meta"), ["meta", "Give a dense tensor of numbers"]),
    ],
)
def test_what_differs_or_is_empty_is_named(source, words):
    with pytest.raises(DataError) as caught:
        load_data(source)
    assert all(word in str(caught.value) for word in words), caught.value


@pytest.mark.filterwarnings("ignore")  # these tensors are prototypes
def test_tensors_of_other_layouts_are_refused_with_the_call_that_makes_them_dense():
    with pytest.raises(DataError, match=r"sparse tensor.*x\.to_dense\(\)"):
        load_data(torch.eye(N).to_sparse_csr())
    with pytest.raises(DataError, match=r"torch\.nested\.to_padded_tensor\(x, 0\)"):
        load_data(torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]))


def test_a_stream_without_end_is_refused_when_memory_is_full(monkeypatch):
    monkeypatch.setattr("autoencode.io.memory.available", lambda: 10_000_000)
    with pytest.raises(Exception, match=r"itertools\.islice"):
        load_data(Endless())


def test_nan_in_another_part_is_refused_with_the_range_auto():
    x = even(0, 1, 9)
    with pytest.raises(DataError, match="Example 0 of the test part contains NaN"):
        load_data({"x_train": x, "x_test": x * np.nan}, value_range="auto")


def test_percentiles_come_from_the_training_part_alone():
    train, test = even(0, 1, 50), even(0, 100, 50)
    data = load_data({"x_train": train, "x_val": train, "x_test": test}, value_range="auto")
    low, high = np.percentile(train, (0.1, 99.9))
    assert (data.preprocessing.low, data.preprocessing.high) == (low, high)
    assert data.test.x.max() == 1


def test_channels_of_files_are_not_a_choice(tmp_path):
    for i in range(4):
        image().save(tmp_path / f"{i}.png")
    with pytest.raises(DataError, match="Leave out --channels-last"):
        load_data(tmp_path, channels_last=True)
