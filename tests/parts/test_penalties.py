import pytest
import torch
from torch.autograd.functional import jacobian
from torch.distributions import Bernoulli, Laplace, Normal, kl_divergence

from autoencode.contract import Code, ForwardPass, Sizes
from autoencode.models.build import build
from autoencode.models.objective import Objective
from autoencode.models.recipe import Recipe, Spec, Weighted
from autoencode.parts.terms.smoothness import Contractive, DecoderSmooth
from autoencode.parts.terms.sparsity import L1, L2, KLSparsity

SIZES = Sizes((8, 8), (3,), n=1000)
SMALL = Spec("mlp", {"hidden": (16,), "activation": "tanh"})


def at(z, sizes=SIZES):
    """A pass of which only the code is looked at."""
    x = torch.zeros(z.shape[-2], *sizes.x)
    return ForwardPass(x, x, None, Code(z), None, None, None)


def model(latent=3, **slots):
    recipe = Recipe(**{"latent": latent, "network": SMALL, **slots})
    return build(recipe, Sizes((8, 8), (latent,), n=1000), seed=0)


def images(rows=5, dtype=torch.float32):
    torch.manual_seed(0)
    return torch.rand(rows, 8, 8, dtype=dtype)


@pytest.mark.parametrize("lead", [(6,), (4, 6)])
def test_l1_and_l2_are_log_priors_up_to_a_constant(lead):
    torch.manual_seed(0)
    z = torch.randn(*lead, 3)
    for term, prior in ((L1, Laplace(0.0, 1.0)), (L2, Normal(0.0, 1.0))):
        found = term(SIZES)(at(z))
        expected = prior.log_prob(torch.tensor(0.0)) * 3 - prior.log_prob(z).sum(-1)
        assert found.shape == lead
        torch.testing.assert_close(found, expected)


def test_codes_that_are_maps_count_whole():
    sizes = Sizes((8, 8), (2, 4, 4))
    z = torch.randn(5, 2, 4, 4)
    torch.testing.assert_close(L1(sizes)(at(z, sizes)), z.abs().flatten(1).sum(1))
    torch.testing.assert_close(L2(sizes)(at(z, sizes)), z.square().flatten(1).sum(1) / 2)
    assert KLSparsity(sizes)(at(z, sizes)).shape == ()


@pytest.mark.parametrize("target", [0.05, 0.5])
def test_kl_sparsity_is_torchs_kl_of_two_coins(target):
    torch.manual_seed(0)
    z = torch.randn(4, 6, 3) * 3
    coins = Bernoulli(z.sigmoid().mean((0, 1)))
    expected = kl_divergence(Bernoulli(torch.full((3,), target)), coins).sum()
    torch.testing.assert_close(KLSparsity(SIZES, target)(at(z)), expected)


def test_kl_sparsity_is_nought_at_its_target_and_finite_far_away():
    term = KLSparsity(SIZES, target=0.2)
    at_target = torch.full((6, 3), 0.2).logit()
    assert term(at(at_target)).item() == pytest.approx(0, abs=1e-6)
    for extreme in (-1e4, 1e4):
        z = torch.full((6, 3), extreme, requires_grad=True)
        found = term(at(z))
        (gradient,) = torch.autograd.grad(found, z)
        assert found.isfinite()
        assert (gradient * extreme > 0).all()  # towards the target, however far


@pytest.mark.parametrize("training", [True, False])
def test_contractive_is_the_encoders_jacobian_in_both_modes(training):
    net = model().double().train(training)
    x = images(dtype=torch.float64)
    term = Contractive(SIZES)
    with torch.set_grad_enabled(training):
        found = term(net.forward_pass(x))
    each = [jacobian(lambda one: net.encoder(one[None])[0], one).square().sum() for one in x]
    torch.testing.assert_close(found.detach(), torch.stack(each))
    assert found.requires_grad == training
    assert net.training == training


def test_contractive_estimates_long_codes():
    net = model(latent=6).double().eval()
    x = images(1, torch.float64).expand(4_000, 8, 8)
    sizes = net.sizes
    with torch.no_grad():
        exact = Contractive(sizes, exact_up_to=6)(net.forward_pass(x[:1])).item()
        torch.manual_seed(0)
        found = Contractive(sizes, exact_up_to=5)(net.forward_pass(x))
    assert found.std() > 0
    error = 4 * found.std().item() / len(x) ** 0.5
    assert found.mean().item() == pytest.approx(exact, abs=error)


def test_contractive_looks_at_what_the_encoder_was_shown():
    net = model().eval()
    clean, seen = images(), images().flip(0)
    with torch.no_grad():
        p = net.forward_pass(clean)
        spoiled = ForwardPass(clean, seen, None, p.code, p.px, None, net)
        torch.testing.assert_close(
            Contractive(SIZES)(spoiled), Contractive(SIZES)(net.forward_pass(seen))
        )


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("bottleneck", ["point", "gaussian"])
def test_decoder_smooth_is_the_decoders_jacobian(training, bottleneck):
    net = model(bottleneck=Spec(bottleneck)).double().train(training)
    x = images(dtype=torch.float64)
    torch.manual_seed(3)
    p = net.forward_pass(x)
    with torch.set_grad_enabled(training):
        torch.manual_seed(0)
        found = DecoderSmooth(SIZES, probes=1_000)(p)
    z = p.code.z.detach()
    rows = z.reshape(-1, 3)
    each = [jacobian(lambda one: net.decoder(one[None])[0], row).square().sum() for row in rows]
    torch.testing.assert_close(
        found.detach(), torch.stack(each).reshape(z.shape[:-1]), rtol=0.06, atol=0
    )
    assert found.requires_grad == training


def test_only_the_decoder_pays_for_its_smoothness():
    net = model()
    DecoderSmooth(SIZES)(net.forward_pass(images())).sum().backward()
    assert all(p.grad is None for p in net.encoder.parameters())
    assert net.decoder.network.out.weight.grad.abs().sum() > 0


@pytest.mark.parametrize("network", [Spec("conv", {"width": 2, "hidden": (8,)}), SMALL])
@pytest.mark.parametrize("kind", ["contractive", "decoder-smooth"])
@pytest.mark.parametrize("latent", [2, 6])
def test_trains_and_validates_with_either_network(network, kind, latent):
    """Batch normalisation and autocast included; the validation as the trainer does it."""
    terms = {"reconstruction": Weighted("reconstruction"), "penalty": Weighted(kind, weight=0.1)}
    net = model(latent=latent, network=network, terms=terms)
    objective = Objective(net, net.recipe, net.sizes)
    x = images(12)
    for precision in (torch.float32, torch.bfloat16):
        objective.train()
        with torch.autocast("cpu", dtype=precision, enabled=precision == torch.bfloat16):
            objective(x).loss.backward()
        assert all(p.grad.isfinite().all() for p in net.parameters())
        objective.eval()
        before = {name: value.clone() for name, value in objective.state_dict().items()}
        with torch.no_grad():
            output = objective(x)
        assert output.terms["penalty"].item() > 0
        assert not output.loss.requires_grad
        after = objective.state_dict()
        assert all(torch.equal(after[name], value) for name, value in before.items())


def test_half_precision_changes_a_penalty_by_little():
    net = model(network=Spec("mlp", {"hidden": (64,)}))
    p = net.forward_pass(images())
    for term in (Contractive(SIZES), DecoderSmooth(SIZES)):
        found = []
        for enabled in (False, True):
            torch.manual_seed(0)
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
                found.append(term(p).detach())
        assert found[1].dtype == torch.float32
        torch.testing.assert_close(found[1], found[0], rtol=0.05, atol=0)
