"""Networks of the user's own: classes in a file, which a recipe names as `my_nets.py:MyNet`.

Loading such a file executes it, as any import does.
"""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import sys
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import Tensor, nn

from autoencode.contract import Network, Sizes
from autoencode.errors import RecipeError, did_you_mean

# What a file has where its kind names no class: two modules.
PAIR = ("Encoder", "Decoder")


def is_custom(kind: str) -> bool:
    """Whether a kind names a file of the user's own.

    >>> is_custom("my_nets.py:MyNet"), is_custom("nets/mine.py"), is_custom("conv")
    (True, True, False)
    """
    return kind.endswith(".py") or ".py:" in kind


def network_file(kind: str) -> tuple[Path, str]:
    """The file that a kind names, as a whole path, and the class in it; "" is a pair.

    >>> network_file("/home/me/my_nets.py:MyNet")[1], network_file("my_nets.py")[1]
    ('MyNet', '')
    """
    path, _, name = kind.rpartition(".py")
    return Path(f"{path}.py").expanduser().resolve(), name.removeprefix(":")


def kind_of_class(network: type[Network]) -> str:
    """The kind that names a class which was imported from a file: "/home/me/my_nets.py:MyNet".

    Raises:
        RecipeError: as `custom_network`; a class that no file holds, or the script that is running.
    """
    if not isinstance(network, type):
        raise RecipeError(
            f"A network of your own is given as its class, and this is {network!r:.100}",
            "Give MyNet itself; its arguments go beside it: Spec(MyNet, {...}).",
        )
    path = _module_file(network.__module__)
    if path is None or network.__module__ == "__main__" or "." in network.__qualname__:
        raise RecipeError(
            f"{network.__qualname__} stands at the top of no file that could be imported, so that "
            "a saved run would not find it again",
            "Write it into a file of its own, my_nets.py (%%writefile in a notebook's cell), "
            "and import it from there.",
        )
    kind = f"{Path(path).resolve()}:{network.__qualname__}"
    custom_network(kind)  # here, and not after the training
    return kind


def custom_network(kind: str) -> type[Network]:
    """The network that "FILE.py:CLASS" names, or the pair of "FILE.py".

    The class is a `Network`; the arguments of its `__init__` are annotated, and are what a recipe
    configures. A pair is simpler: `Encoder(sizes, features)` and `Decoder(sizes, channels)` are
    plain modules, called with a batch, and with its context where `forward` takes a second one.
    A file is executed once for each content that it has, wherever it lies.

    Raises:
        RecipeError: no such file or class, a class of another kind, or an error while importing.
    """
    path, name = network_file(kind)
    module = _module(path)
    if not name:
        return _pair(module)
    network = _class(module, name)
    if not issubclass(network, Network):
        raise RecipeError(
            f"{name} in {path} is no network",
            f"Write: from autoencode.contract import Network, then class {name}(Network).",
        )
    if inspect.isabstract(network):
        raise RecipeError(
            f"{name} in {path} has no method {' and none '.join(network.__abstractmethods__)}",
            "A network has encoder(sizes, features) and decoder(sizes, channels).",
        )
    for argument, parameter in inspect.signature(network).parameters.items():
        if parameter.annotation is parameter.empty:
            raise RecipeError(
                f"The argument {argument} of {name} in {path} has no annotation, "
                "and a recipe checks what it is given",
                f"Say what it is, for example {argument}: int = 64.",
            )
    return network


def place(error: BaseException, path: str | None) -> str:
    """Where in a file an error arose: ", in line 7"; nothing if it did not."""
    trace, line = error.__traceback__, None
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == path:
            line = trace.tb_lineno
        trace = trace.tb_next
    return "" if line is None else f", in line {line}"


def is_loaded(content: bytes) -> bool:
    """Has a file of this content been executed in this process, as a network that was asked for?"""
    return _module_name(content) in sys.modules


def _module_name(content: bytes) -> str:
    return f"autoencode_own_{hashlib.sha256(content).hexdigest()}"


def _module(path: Path) -> ModuleType:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RecipeError(
            f"The file of your network, {path}, cannot be read: {error.strerror}",
            'Name it from the folder you are in, or by its whole path: "my_nets.py:MyNet".',
        ) from error
    name = _module_name(content)
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None  # the name ends in .py
    # Dataclasses and annotations look their module up.
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        # The loader of `spec` would take yesterday's bytecode for a file of the same second.
        exec(compile(content, str(path), "exec"), module.__dict__)
    except BaseException as error:
        del sys.modules[name]
        if not isinstance(error, Exception | SystemExit):
            raise
        raise RecipeError(
            f"The file of your network, {path}, cannot be imported{place(error, str(path))}: "
            f"{type(error).__name__}: {error}",
            "It may import what is installed, but not its neighbours in the folder."
            if isinstance(error, ModuleNotFoundError)
            else "Mend it there.",
        ) from error
    return module


def _class(module: ModuleType, name: str) -> type[Any]:
    found = vars(module).get(name)
    if not isinstance(found, type):
        classes = [
            key
            for key, value in vars(module).items()
            if isinstance(value, type) and value.__module__ == module.__name__
        ]
        raise RecipeError(
            f"There is no class {name} in {module.__file__}",
            did_you_mean(name, classes) if classes else "It has no classes at all.",
        )
    return found


@cache
def _pair(module: ModuleType) -> type[Network]:
    encoder, decoder = (_class(module, name) for name in PAIR)
    for made in (encoder, decoder):
        if not issubclass(made, nn.Module):
            raise RecipeError(
                f"{made.__name__} in {module.__file__} is no module of torch",
                f"Write: class {made.__name__}(torch.nn.Module).",
            )

    class Pair(Network):
        """The two modules of a file."""

        __module__ = module.__name__

        def encoder(self, sizes: Sizes, features: int) -> nn.Module:
            """The file's `Encoder`."""
            return _with_context(encoder(sizes, features), sizes)

        def decoder(self, sizes: Sizes, channels: int) -> nn.Module:
            """The file's `Decoder`."""
            return _with_context(decoder(sizes, channels), sizes)

    return Pair


class WithoutContext(nn.Module):
    """A module whose `forward` takes a batch and nothing else, in a model without context."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """What the module makes of `x`; `c` is None."""
        out: Tensor = self.module(x)
        return out


def _with_context(module: nn.Module, sizes: Sizes) -> nn.Module:
    try:
        inspect.signature(module.forward).bind(None, None)
    except TypeError:
        if not sizes.context:
            return WithoutContext(module)
        raise RecipeError(
            f"The model is conditional, and {type(module).__name__}.forward takes no context",
            f"Write forward(self, x, c); c is (B, {sizes.context}).",
        ) from None
    return module


def _module_file(name: str) -> str | None:
    """Of a loaded module; None for one without, as a notebook has."""
    return vars(sys.modules[name]).get("__file__") if name in sys.modules else None
