"""Custom networks: classes in a user's file, which a recipe names as `my_nets.py:MyNet`.

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
from autoencode.io.files import Unusable, open_file

# Names of the two modules that a file must have if a recipe names the file without a class.
PAIR = ("Encoder", "Decoder")


def is_custom(kind: str) -> bool:
    """Whether the name of a network refers to a user's file.

    >>> is_custom("my_nets.py:MyNet"), is_custom("nets/mine.py"), is_custom("conv")
    (True, True, False)
    """
    return kind.endswith(".py") or ".py:" in kind


def network_file(kind: str) -> tuple[Path, str]:
    """Splits the name of a custom network into its absolute path and its class; "" for a pair.

    >>> network_file("/home/me/my_nets.py:MyNet")[1], network_file("my_nets.py")[1]
    ('MyNet', '')
    """
    path, _, name = kind.rpartition(".py")
    file = Path(f"{path}.py").expanduser()
    # Not the target of a link: in the cache of the hub, that has another name.
    return file.parent.resolve() / file.name, name.removeprefix(":")


def kind_of_class(network: type[Network]) -> str:
    """The name of an imported network class in recipes: "/home/me/my_nets.py:MyNet".

    Raises:
        RecipeError: as `custom_network`; or the class is not at the top level of a file.
    """
    if not isinstance(network, type):
        raise RecipeError(
            f"A custom network must be given as a class, and this is {network!r:.100}",
            "Give the class and its arguments separately: Spec(MyNet, {...}).",
        )
    path = _module_file(network.__module__)
    if path is None or network.__module__ == "__main__" or "." in network.__qualname__:
        raise RecipeError(
            f"{network.__qualname__} is not defined at the top level of an importable file, so "
            "that a saved run could not load it",
            "Write it to a file, for example my_nets.py (%%writefile in a notebook), "
            "and import it from there.",
        )
    kind = f"{Path(path).resolve()}:{network.__qualname__}"
    custom_network(kind)  # raises errors now instead of after the training
    return kind


def custom_network(kind: str) -> type[Network]:
    """Loads the network of "FILE.py:CLASS", or the pair of modules of "FILE.py".

    The class is a `Network` whose `__init__` arguments are annotated; they are its configuration
    in a recipe. A file without a class name has two modules, `Encoder(sizes, features)` and
    `Decoder(sizes, channels)`, whose `forward` takes a batch and optionally its context. They may
    take one number instead: `Encoder(features)`, the number of outputs, and `Decoder(latent)`, the
    number of latent dimensions; or no argument. Files with equal content are executed once.

    Raises:
        RecipeError: the file or class does not exist or is not a network, or the import fails.
    """
    path, name = network_file(kind)
    module = _module(path)
    if not name:
        return _pair(module)
    network = _class(module, name)
    if not issubclass(network, Network):
        raise RecipeError(
            f"{name} in {path} is not a network",
            f"Import Network from autoencode.contract and write: class {name}(Network).",
        )
    if inspect.isabstract(network):
        raise RecipeError(
            f"{name} in {path} lacks {' and '.join(sorted(network.__abstractmethods__))}",
            "A network needs encoder(sizes, features) and decoder(sizes, channels).",
        )
    for argument, parameter in inspect.signature(network).parameters.items():
        if parameter.annotation is parameter.empty:
            raise RecipeError(
                f"The argument {argument} of {name} in {path} has no type annotation, "
                "and a recipe checks the types of arguments",
                f"Annotate it, for example {argument}: int = 64.",
            )
    return network


def line_of(error: BaseException, path: str | None) -> str:
    """The line of a file in which an error occurred, as ", in line 7"; "" for another file."""
    trace, line = error.__traceback__, None
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == path:
            line = trace.tb_lineno
        trace = trace.tb_next
    return "" if line is None else f", in line {line}"


def is_loaded(content: bytes) -> bool:
    """Whether a file with this content was loaded in this process as a custom network."""
    return _module_name(content) in sys.modules


def _module_name(content: bytes) -> str:
    return f"autoencode_own_{hashlib.sha256(content).hexdigest()}"


def _module(path: Path) -> ModuleType:
    try:
        with open_file(path) as file:
            content = file.read()
    except (Unusable, OSError) as error:
        raise RecipeError(
            f"The file of your network, {path}, cannot be read: {error}",
            'Give its absolute path or its path from the current folder: "my_nets.py:MyNet".',
        ) from error
    name = _module_name(content)
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None  # the name ends in .py
    # Dataclasses and annotations look up their module in sys.modules.
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        # The loader of `spec` would use outdated bytecode for a file changed within one second.
        exec(compile(content, str(path), "exec"), module.__dict__)
    except BaseException as error:
        del sys.modules[name]
        if not isinstance(error, Exception | SystemExit):
            raise
        raise RecipeError(
            f"The file of your network, {path}, cannot be imported{line_of(error, str(path))}: "
            f"{type(error).__name__}: {error}",
            "It can import installed packages, but not other files of its folder."
            if isinstance(error, ModuleNotFoundError)
            else "Fix the error in the file.",
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
            did_you_mean(name, classes) if classes else "The file has no classes.",
        )
    return found


@cache
def _pair(module: ModuleType) -> type[Network]:
    encoder, decoder = (_class(module, name) for name in PAIR)
    for half in (encoder, decoder):
        if not issubclass(half, nn.Module):
            raise RecipeError(
                f"{half.__name__} in {module.__file__} is not a torch.nn.Module",
                f"Write: class {half.__name__}(torch.nn.Module).",
            )

    class Pair(Network):
        """The network of a file with an `Encoder` and a `Decoder`."""

        __module__ = module.__name__

        def encoder(self, sizes: Sizes, features: int) -> nn.Module:
            """Builds the file's `Encoder`."""
            return _accepting_context(_created(encoder, sizes, features, features), sizes)

        def decoder(self, sizes: Sizes, channels: int) -> nn.Module:
            """Builds the file's `Decoder`."""
            return _accepting_context(_created(decoder, sizes, channels, sizes.latent), sizes)

    return Pair


def _created(half: type[nn.Module], sizes: Sizes, outputs: int, number: int) -> nn.Module:
    """A half of a pair, `Half(sizes, outputs)`, `Half(number)` or `Half()` by its signature."""
    given = inspect.signature(half).parameters.values()
    needed = [p for p in given if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD]
    if "sizes" in inspect.signature(half).parameters or len(needed) > 1:
        return half(sizes, outputs)
    return half(number) if needed else half()


class WithoutContext(nn.Module):
    """Wraps a module whose `forward` takes a batch only, for unconditional models."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Calls the module with `x`; `context` is None."""
        out: Tensor = self.module(x)
        return out


def _accepting_context(module: nn.Module, sizes: Sizes) -> nn.Module:
    try:
        inspect.signature(module.forward).bind(None, None)
    except TypeError:
        if not sizes.context:
            return WithoutContext(module)
        raise RecipeError(
            f"The model is conditional, and {type(module).__name__}.forward takes no context",
            f"Write forward(self, x, context); context is (B, {sizes.context}).",
        ) from None
    return module


def _module_file(name: str) -> str | None:
    """The file of a loaded module; None if it has no file, such as a notebook's."""
    return vars(sys.modules[name]).get("__file__") if name in sys.modules else None
