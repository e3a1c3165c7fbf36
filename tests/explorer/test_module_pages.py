"""The networks of a user's module on a page: they compute what the module computes."""

import pytest
import torch
from torch import nn

from autoencode.explorer.model_graphs import decoder_graph, encoder_graph
from autoencode.models.module_run import ModuleRun


class Sampling(nn.Module):
    """An encoder that samples in its forward, and keeps a number as an attribute."""

    def __init__(self):
        super().__init__()
        self.mean, self.log_std = nn.Linear(64, 2), nn.Linear(64, 2)
        self.kl = 0

    def forward(self, x):
        x = x.flatten(1)
        mean, std = self.mean(x), self.log_std(x).exp()
        self.kl = (std**2 + mean**2).sum()
        return torch.distributions.Normal(mean, std).rsample()


class SamplingVAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = Sampling()
        self.decoder = nn.Sequential(nn.Linear(2, 64), nn.Unflatten(1, (1, 8, 8)))

    def forward(self, x):
        return torch.sigmoid(self.decoder(self.encoder(x)))


class Dense(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(64, 8), nn.BatchNorm1d(8), nn.Dropout(), nn.Tanh())
        self.decoder = nn.Linear(8, 64)

    def forward(self, x):
        return self.decoder(self.encoder(x)).clamp(0, 1)


@pytest.mark.long
def test_the_page_computes_what_the_module_computes(digits, run):
    x = digits.test.x[:1].float()
    torch.manual_seed(0)
    vae, dense = SamplingVAE(), Dense().double()
    models = {m: ModuleRun.of(m, digits).load_model() for m in (vae, dense)}
    codes = {vae: vae.encoder.mean(x.flatten(1)), dense: None}
    with torch.no_grad():
        codes[dense] = dense.eval().encoder(x.flatten(1).double()).float()
        images = {vae: torch.sigmoid(vae.decoder(codes[vae]))[:, 0]}
        images[dense] = dense(x.flatten(1).double()).float().reshape(1, 8, 8)
    cases = {}
    for i, (module, model) in enumerate(models.items()):
        cases[f"encoder{i}"] = (encoder_graph(model), [x])
        cases[f"decoder{i}"] = (decoder_graph(model), [codes[module].detach()])
    found = run(cases)
    for i, module in enumerate(models):
        assert torch.allclose(found[f"encoder{i}"][0], codes[module], atol=5e-3)
        assert torch.allclose(found[f"decoder{i}"][0], images[module], atol=5e-3)
    sigma = vae.encoder.log_std(x.flatten(1)).exp()
    assert torch.allclose(found["encoder0"][1], sigma, atol=5e-3)
