"""Files that claim more than they have are refused within 200 MB and 2 s of computing."""

import gzip
import io
import struct
import tarfile
import zipfile
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image

from autoencode.data import load_data

pytestmark = pytest.mark.long

ZEROS = 1_500_000_000  # bytes, which are 1.5 MB compressed


def gzipped(*pieces):
    """gzip of pieces of bytes and of numbers of zeros, without all of it in memory."""
    file = io.BytesIO()
    with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=1) as packed:
        for piece in pieces:
            if isinstance(piece, bytes):
                packed.write(piece)
                continue
            for _ in range(piece // 10**7):
                packed.write(bytes(10**7))
    return file.getvalue()


def npy(shape, dtype="|u1", version=1, length=None):
    text = f"{{'descr': {dtype!r}, 'fortran_order': False, 'shape': {shape!r}, }}\n".encode()
    count = len(text) if length is None else length
    head = b"\x93NUMPY" + bytes([version, 0]) + count.to_bytes(2 * version, "little")
    return head + text + bytes(1000)


def npz(content, method=zipfile.ZIP_DEFLATED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.writestr("x.npy", content)
    return file.getvalue()


def zip_that_claims(size):
    """A .zip archive whose entry is said to be larger than it is."""
    content = npz(npy((size,)))
    real = struct.pack("<I", len(npy((size,))))
    assert content.count(real) == 2
    return content.replace(real, struct.pack("<I", size + 1200))


def header(kind, size, name=b"a.png", **fields):
    info = tarfile.TarInfo(name.decode())
    info.type, info.size = kind, size
    return info.tobuf(tarfile.GNU_FORMAT)


def sparse(blocks):
    """A GNU sparse header that goes on in further blocks."""
    head = bytearray(header(tarfile.GNUTYPE_SPARSE, 512))
    head[482] = 1
    head[148:156] = b" " * 8
    head[148:156] = b"%06o\0 " % sum(head)
    return bytes(head) + (bytes(504) + b"\1" + bytes(7)) * blocks


def negative():
    head = bytearray(header(tarfile.REGTYPE, 0))
    head[124:136] = b"\xff" * 10 + b"\xf8\0"
    head[148:156] = b" " * 8
    head[148:156] = b"%06o\0 " % sum(head)
    return bytes(head) * 30


# Made when a test needs them: compressing takes a second each.
TARS = {
    "a giant long name": lambda: gzipped(header(tarfile.GNUTYPE_LONGNAME, ZEROS), ZEROS),
    "a giant long link": lambda: gzipped(header(tarfile.GNUTYPE_LONGLINK, ZEROS), ZEROS),
    "a giant pax header": lambda: gzipped(header(tarfile.XHDTYPE, ZEROS), ZEROS),
    "a giant global header": lambda: gzipped(header(tarfile.XGLTYPE, ZEROS), ZEROS),
    "a sparse header without end": lambda: gzipped(sparse(400_000)),
    "headers on headers": lambda: gzipped(header(tarfile.GNUTYPE_LONGNAME, 0) * 100_000),
    "a negative size": lambda: negative(),
    "an image that is claimed": lambda: gzipped(header(tarfile.REGTYPE, 150_000_000), bytes(100)),
    "a giant image": lambda: gzipped(header(tarfile.REGTYPE, 8_000_000_000), bytes(100)),
    "a giant batch": lambda: gzipped(header(tarfile.REGTYPE, 3073 * 10**6, b"data_batch_1.bin")),
    "a file that is passed over": lambda: header(tarfile.REGTYPE, 8**11 - 1, b"a.txt"),
}


@pytest.mark.parametrize("kind", TARS)
def test_headers_of_tar_archives(tmp_path, cheap_refusal, kind):
    path = tmp_path / "x.tar.gz"
    path.write_bytes(TARS[kind]())
    text = cheap_refusal(lambda: load_data(path))
    assert text.startswith(str(path)), text


@pytest.mark.parametrize(
    "content",
    [
        npy((2**40,)),
        npy((2**62, 4)),
        npy((2**70,)),
        npy((0, 2**62)),
        npy((10**9, 28, 28), "<f8"),
        npy((3,), "|V2000000000"),
        npy((1, 1), version=2, length=2**32 - 1),
        npy((1, 1), length=65535),
        npy((1001,)),
    ],
)
def test_shapes_of_arrays(tmp_path, cheap_refusal, content):
    for name, packed in (("x.npy", content), ("x.npz", npz(content))):
        path = tmp_path / name
        path.write_bytes(packed)
        for memory in ("auto", "map"):
            text = cheap_refusal(lambda path=path, memory=memory: load_data(path, memory=memory))
            assert text.startswith(str(path)), text


def test_sizes_of_entries_of_archives(tmp_path, cheap_refusal):
    path = tmp_path / "x.npz"
    for size in (3000, 10**6, 10**9, 2**32 - 2000):
        path.write_bytes(zip_that_claims(size))
        text = cheap_refusal(lambda: load_data(path))
        assert text.startswith(str(path)), text
    # A header in 1.5 GB that are really there, of which a few are read.
    text = npy((1, 1), version=2, length=2**31)
    file = io.BytesIO()
    with (
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("x.npy", "w", force_zip64=True) as entry,
    ):
        entry.write(text)
        for _ in range(150):
            entry.write(bytes(10**7))
    path.write_bytes(file.getvalue())
    assert "header" in cheap_refusal(lambda: load_data(path))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("x.csv.gz", lambda: gzipped(ZEROS), "no text file"),
        ("x.csv.gz", lambda: gzip.compress(b"x" * 10**8, 1), "first line is longer"),
        ("x.csv", lambda: b"x" * 10**8, "first line is longer"),
        ("x.csv", lambda: b"," * 10**7, "10,000,001 columns"),
        ("x.tsv", lambda: b"\t".join([b"c"] * 10**6) + b"\n" + b"1\t" * 10**6, "1,000,000 columns"),
        ("x.csv", lambda: (b"c" + b";c" * 60_000 + b"\n") * 3, "60,001 columns"),
        ("x.csv", lambda: (b"1" + b" 1" * 60_000 + b"\n") * 3, "60,001 columns"),
    ],
)
def test_lines_of_tables(tmp_path, cheap_refusal, name, content, said):
    (tmp_path / name).write_bytes(content())
    assert said in cheap_refusal(lambda: load_data(tmp_path / name))


def png(size, bits, colour):
    body = struct.pack(">IIBBBBB", *size, bits, colour, 0, 0, 0)
    chunks = (b"IHDR", body), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    )


def resized(kind, old, new):
    """An image of 8×8 whose header is changed."""
    file = io.BytesIO()
    Image.new("RGB" if kind != "GIF" else "L", (8, 8)).save(file, kind)
    content = file.getvalue()
    assert old in content
    return content.replace(old, new)


def tiff(pages=1, **options):
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        for _ in range(pages):
            writer.write(np.zeros((8, 8), np.float64), photometric="minisblack", **options)
    return file.getvalue()


def tiff_that_claims(size, count=None):
    content = tiff()
    for tag in (256, 257):
        field = struct.pack("<HHI", tag, 4, 1)
        field = field if field in content else struct.pack("<HHI", tag, 3, 1)
        at = content.index(field) + 8
        content = content[:at] + struct.pack("<I", size) + content[at + 4 :]
    if count:  # of the strips
        at = content.index(struct.pack("<HH", 273, 4)) + 4
        content = content[:at] + struct.pack("<I", count) + content[at + 4 :]
    return content


IMAGES = {
    **{
        f"{bits}-{colour}.png": png((7000, 7000), bits, colour) for bits, colour in ((8, 0), (8, 2))
    },
    **{f"deep{colour}.png": png((7000, 7000), 16, colour) for colour in (0, 2, 4, 6)},
    "x.bmp": resized("BMP", struct.pack("<II", 8, 8), struct.pack("<II", 7000, 7000)),
    "x.gif": resized("GIF", struct.pack("<HH", 8, 8), struct.pack("<HH", 7000, 7000)),
    "x.jpg": resized("JPEG", struct.pack(">HH", 8, 8), struct.pack(">HH", 7000, 7000)),
    "x.ppm": b"P6 7000 7000 255\n" + bytes(100),
    "deep.ppm": b"P6 7000 7000 65535\n" + bytes(100),
    "text.pgm": b"P2 7000 7000 255\n 1 2 3",
    "bits.pbm": b"P4 7000 7000\n" + bytes(100),
    "strips.tif": tiff_that_claims(8, 2**31),
    "more strips.tif": tiff_that_claims(7000, 10**6),
    "size.tif": tiff_that_claims(7000),
    "giant.tif": tiff_that_claims(2**31),
}


@pytest.mark.parametrize("name", IMAGES)
def test_sizes_of_images(tmp_path, cheap_refusal, name):
    path = tmp_path / name
    path.write_bytes(IMAGES[name])
    text = cheap_refusal(lambda: load_data(path))
    assert text.startswith(f"{path} cannot be used: "), text


def test_many_pages_are_not_read(tmp_path, cheap_refusal):
    """Files of 200,000 and 3,000 images are read, and refused because one example is too few."""
    content = tiff()
    end = len(content)
    content += b"".join(
        struct.pack("<HI", 0, end + 6 * (i + 1) if i < 200_000 else 0) for i in range(200_001)
    )
    start = struct.unpack("<I", content[4:8])[0]
    after = start + 2 + 12 * struct.unpack("<H", content[start : start + 2])[0]
    content = content[:after] + struct.pack("<I", end) + content[after + 4 :]
    (tmp_path / "x.tif").write_bytes(content)
    frames = [Image.new("L", (8, 8), i % 256) for i in range(3000)]
    frames[0].save(tmp_path / "x.gif", save_all=True, append_images=frames[1:])
    for name in ("x.tif", "x.gif"):
        text = cheap_refusal(lambda name=name: load_data(tmp_path / name))
        assert "there is only 1 example" in text
