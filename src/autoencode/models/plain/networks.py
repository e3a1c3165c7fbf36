"""The layers of encoder and decoder as lines of code, read from the modules of the model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from torch import nn

from autoencode.models.assemble import SlotAutoencoder
from autoencode.models.plain.lines import Facts
from autoencode.parts.networks.layers import ACTIVATIONS
from autoencode.parts.networks.maps import CodeMapDecoder, CodeMapEncoder, MapDecoder, MapEncoder
from autoencode.parts.networks.mlp import MLPDecoder, MLPEncoder


@dataclass(frozen=True)
class NetworkLines:
    """Half of a network: encoder or decoder.

    modules: attribute of the model -> its layers.
    call: an expression of the result, with {m} for the model and {of} for the argument.
    """

    modules: Mapping[str, list[str]]
    call: str


def network_lines(facts: Facts, model: SlotAutoencoder) -> tuple[NetworkLines, NetworkLines]:
    """The encoder and the decoder of a model.

    Raises:
        NoPlainForm: there is no writer for the network or one of its layers.
    """
    halves = []
    for half in (model.encoder.network, model.decoder.network):
        writer = WRITERS.get(type(half))
        if writer is None or getattr(half, "shortcut", None) is not None:
            argument = "" if writer is None else " with a linear path"
            raise facts.refuse(f'Network "{facts.recipe.network.kind}"{argument}')
        halves.append(writer(facts, half))
    return halves[0], halves[1]


def _mlp_encoder(facts: Facts, net: MLPEncoder) -> NetworkLines:
    layers = _layers(facts, [net.body, net.head])
    if facts.sizes.context:
        x = "{of}" if len(facts.sizes.x) == 1 else "{of}.flatten(1)"
        return NetworkLines({"encoder": layers}, f"{{m}}.encoder(torch.cat([{x}, c], 1))")
    flatten = [] if len(facts.sizes.x) == 1 else ["nn.Flatten()"]
    return NetworkLines({"encoder": flatten + layers}, "{m}.encoder({of})")


def _mlp_decoder(facts: Facts, net: MLPDecoder) -> NetworkLines:
    layers = _layers(facts, [net.body, net.out])
    if len(facts.sizes.x) > 1:
        layers.append(f"nn.Unflatten(1, {facts.sizes.x})")
    return NetworkLines({"decoder": layers}, f"{{m}}.decoder({_codes(facts)})")


def _map_encoder(facts: Facts, net: MapEncoder) -> NetworkLines:
    maps = [*_channel(facts), *_layers(facts, [net.body]), "nn.Flatten()"]
    layers = _layers(facts, [net.dense, net.head])
    if not facts.sizes.context:
        return NetworkLines({"encoder": maps + layers}, "{m}.encoder({of})")
    return NetworkLines(
        {"convolutions": maps, "encoder": layers},
        "{m}.encoder(torch.cat([{m}.convolutions({of}), c], 1))",
    )


def _map_decoder(facts: Facts, net: MapDecoder) -> NetworkLines:
    layers = _layers(facts, [net.dense])
    layers += [f"nn.Unflatten(1, {net.smallest})", *_layers(facts, [net.body])]
    layers += _no_channel(facts)
    return NetworkLines({"decoder": layers}, f"{{m}}.decoder({_codes(facts)})")


def _code_map_encoder(facts: Facts, net: CodeMapEncoder) -> NetworkLines:
    _check_unconditional(facts)
    layers = [*_channel(facts), *_layers(facts, [net.body, net.head])]
    return NetworkLines({"encoder": layers}, "{m}.encoder({of})")


def _code_map_decoder(facts: Facts, net: CodeMapDecoder) -> NetworkLines:
    layers = [*_layers(facts, [*net.start, net.body]), *_no_channel(facts)]
    return NetworkLines({"decoder": layers}, "{m}.decoder({of})")


def _check_unconditional(facts: Facts) -> None:
    if facts.sizes.context:
        raise facts.refuse("A network with code=map and a context")


def _codes(facts: Facts) -> str:
    return "torch.cat([{of}, c], 1)" if facts.sizes.context else "{of}"


def _channel(facts: Facts) -> list[str]:
    """The layer that gives grey images (N, H, W) a channel."""
    return [f"nn.Unflatten(1, (1, {facts.sizes.x[0]}))"] if len(facts.sizes.x) == 2 else []


def _no_channel(facts: Facts) -> list[str]:
    return ["nn.Flatten(1, 2)"] if len(facts.sizes.x) == 2 else []


def _layers(facts: Facts, modules: Iterable[nn.Module]) -> list[str]:
    """One line for each layer; layers in `Sequential` one by one."""
    lines = []
    for module in modules:
        if isinstance(module, nn.Sequential):
            lines += _layers(facts, module)
            continue
        kind = next((kind for kind in LAYERS if isinstance(module, kind)), None)
        if kind is None:
            raise facts.refuse(
                f'The layer {type(module).__name__} in network "{facts.recipe.network.kind}"'
            )
        lines.append(LAYERS[kind](module))
    return lines


def _linear(layer: nn.Linear) -> str:
    return f"nn.Linear({layer.in_features}, {layer.out_features})"


def _convolution(layer: nn.Conv2d | nn.ConvTranspose2d) -> str:
    arguments = [str(layer.in_channels), str(layer.out_channels), str(layer.kernel_size[0])]
    arguments += [f"stride={layer.stride[0]}"] if layer.stride != (1, 1) else []
    arguments += [f"padding={layer.padding[0]}"] if layer.padding != (0, 0) else []
    if isinstance(layer, nn.ConvTranspose2d):
        high, wide = layer.output_padding
        arguments.append(f"output_padding={high if high == wide else (high, wide)}")
    return f"nn.{type(layer).__name__}({', '.join(arguments)})"


# Class of a layer -> its line.
LAYERS: Mapping[type[nn.Module], Callable[..., str]] = {
    nn.Linear: _linear,
    nn.Conv2d: _convolution,
    nn.ConvTranspose2d: _convolution,
    nn.BatchNorm1d: lambda layer: f"nn.BatchNorm1d({layer.num_features})",
    nn.BatchNorm2d: lambda layer: f"nn.BatchNorm2d({layer.num_features})",
    nn.LayerNorm: lambda layer: f"nn.LayerNorm({layer.normalized_shape[0]})",
    nn.GroupNorm: lambda layer: f"nn.GroupNorm({layer.num_groups}, {layer.num_channels})",
    nn.Dropout: lambda layer: f"nn.Dropout({layer.p})",
    **dict.fromkeys(ACTIVATIONS.values(), lambda layer: f"nn.{type(layer).__name__}()"),
}
WRITERS: Mapping[type[nn.Module], Callable[..., NetworkLines]] = {
    MLPEncoder: _mlp_encoder,
    MLPDecoder: _mlp_decoder,
    MapEncoder: _map_encoder,
    MapDecoder: _map_decoder,
    CodeMapEncoder: _code_map_encoder,
    CodeMapDecoder: _code_map_decoder,
}
