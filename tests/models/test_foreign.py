"""Modules as students write them: what is understood, used, said and refused."""

import copy
import itertools

import pytest
import torch
from torch import nn
from torch.nn import functional

import autoencode as ae
from autoencode.contract import Autoencoder
from autoencode.errors import AutoencodeError, DataError, RecipeError
from autoencode.explorer.model_graphs import encoder_graph
from autoencode.models.foreign import as_autoencoder

SIDE, PIXELS = 8, 64


def dense(*widths, last=None):
    pairs = itertools.pairwise(widths)
    layers = [layer for a, b in pairs for layer in (nn.Linear(a, b), nn.ReLU())][:-1]
    return nn.Sequential(*layers, *([last] if last else []))


class CourseAE(nn.Module):
    """Flatten and Unflatten; forward gives (codes, images)."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Flatten(), dense(PIXELS, 16, 2))
        self.decoder = nn.Sequential(
            dense(2, 16, PIXELS, last=nn.Sigmoid()), nn.Unflatten(1, (SIDE, SIDE))
        )

    def forward(self, x):
        codes = self.encoder(x)
        return codes, self.decoder(codes)


class ImagesOnly(nn.Module):
    """Takes and gives flat rows; forward gives the images alone."""

    def __init__(self):
        super().__init__()
        self.encoder, self.decoder = dense(PIXELS, 3), dense(3, PIXELS, last=nn.Sigmoid())

    def forward(self, x):
        return self.decoder(self.encoder(x))


class ExampleVAE(nn.Module):
    """The VAE of PyTorch's examples: methods alone, forward gives (images, mu, log_var)."""

    def __init__(self):
        super().__init__()
        self.fc1, self.fc21, self.fc22 = nn.Linear(PIXELS, 16), nn.Linear(16, 2), nn.Linear(16, 2)
        self.fc3, self.fc4 = nn.Linear(2, 16), nn.Linear(16, PIXELS)

    def encode(self, x):
        h = functional.relu(self.fc1(x))
        return self.fc21(h), self.fc22(h)

    def reparameterize(self, mu, log_var):
        std = torch.exp(0.5 * log_var)
        return mu + torch.randn_like(std) * std

    def decode(self, z):
        return torch.sigmoid(self.fc4(functional.relu(self.fc3(z))))

    def forward(self, x):
        mu, log_var = self.encode(x.view(-1, PIXELS))
        return self.decode(self.reparameterize(mu, log_var)), mu, log_var

    def posterior(self, x):
        mu, log_var = self.encode(x.flatten(1))
        return mu, (0.5 * log_var).exp()


class HalvesVAE(nn.Module):
    """The encoder gives 2 d columns that forward splits, here into mean and log σ."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(PIXELS, 6))
        self.decoder = dense(3, PIXELS, last=nn.Sigmoid())

    def forward(self, x):
        mu, log_sigma = self.encoder(x).chunk(2, 1)
        return self.decoder(mu + log_sigma.exp() * torch.randn_like(mu)), mu, log_sigma

    def posterior(self, x):
        mu, log_sigma = self.encoder(x).chunk(2, 1)
        return mu, log_sigma.exp()


class VariationalEncoder(nn.Module):
    """As on van de Kleut's page: it samples, and keeps the KL as an attribute."""

    def __init__(self, latent_dims):
        super().__init__()
        self.linear1 = nn.Linear(PIXELS, 16)
        self.linear2, self.linear3 = nn.Linear(16, latent_dims), nn.Linear(16, latent_dims)
        self.N = torch.distributions.Normal(0, 1)
        self.kl = 0

    def forward(self, x):
        mu, sigma = self.moments(x)
        z = mu + sigma * self.N.sample(mu.shape)
        self.kl = (sigma**2 + mu**2 - torch.log(sigma) - 1 / 2).sum()
        return z

    def moments(self, x):
        h = functional.relu(self.linear1(torch.flatten(x, start_dim=1)))
        return self.linear2(h), torch.exp(self.linear3(h))


class PageVAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = VariationalEncoder(2)
        self.decoder = nn.Sequential(
            dense(2, 16, PIXELS, last=nn.Sigmoid()), nn.Unflatten(1, (1, SIDE, SIDE))
        )

    def forward(self, x):
        return self.decoder(self.encoder(x))

    def posterior(self, x):
        return self.encoder.moments(x)


class ConvAE(nn.Module):
    """Convolutions with batch normalisation and dropout; the decoder gives logits."""

    def __init__(self, channels=1):
        super().__init__()
        self.encoder = nn.Sequential(
            *(nn.Conv2d(channels, 4, 3, 2, 1), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout()),
            *(nn.Flatten(), nn.Linear(PIXELS, 2)),
        )
        self.decoder = nn.Sequential(
            nn.Linear(2, PIXELS), nn.Unflatten(1, (4, 4, 4)), nn.ConvTranspose2d(4, channels, 2, 2)
        )

    def forward(self, x):
        return torch.sigmoid(self.decoder(self.encoder(x)))


# Ways of writing that no description names.
class HeadsInForward(nn.Module):
    """The heads of the posterior are applied in forward, which gives a mapping."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(PIXELS, 16), nn.ReLU())
        self.mu, self.log_var = nn.Linear(16, 2), nn.Linear(16, 2)
        self.decoder = dense(2, PIXELS, last=nn.Sigmoid())

    def forward(self, x):
        h = self.encoder(x)
        mu, log_var = self.mu(h), self.log_var(h)
        z = mu + torch.randn_like(mu) * (0.5 * log_var).exp()
        return {"recon": self.decoder(z), "mu": mu, "log_var": log_var}

    def posterior(self, x):
        h = self.encoder(x)
        return self.mu(h), (0.5 * self.log_var(h)).exp()


class Distributions(nn.Module):
    """encode gives a distribution, and there is no forward."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(PIXELS, 2), nn.Linear(PIXELS, 2)
        self.out = nn.Linear(2, PIXELS)

    def encode(self, x):
        return torch.distributions.Normal(
            self.a(x.flatten(1)), functional.softplus(self.b(x.flatten(1)))
        )

    def decode(self, z):
        return self.out(z).sigmoid().view(-1, 1, SIDE, SIDE)

    def posterior(self, x):
        return self.encode(x).mean, self.encode(x).stddev


class SamplesInTraining(nn.Module):
    """σ is a softplus, and samples are drawn in training mode only."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(PIXELS, 4))
        self.decoder = dense(2, PIXELS, last=nn.Sigmoid())

    def forward(self, x):
        mu, sigma = self.posterior(x)
        return self.decoder(mu + torch.randn_like(mu) * sigma if self.training else mu)

    def posterior(self, x):
        mu, raw = self.encoder(x).chunk(2, 1)
        return mu, functional.softplus(raw)


class Draw(nn.Module):
    def forward(self, mu, log_var):
        return mu + torch.randn_like(mu) * (log_var / 2).exp() if self.training else mu


class LayerSamples(nn.Module):
    """A layer draws the codes, in training mode only, beside dropout."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Flatten(), nn.Dropout(), nn.Linear(PIXELS, 4))
        self.draw, self.decoder = Draw(), dense(2, PIXELS, last=nn.Sigmoid())

    def forward(self, x):
        return self.decoder(self.draw(*self.encoder(x).chunk(2, 1)))

    def posterior(self, x):
        mu, log_var = self.encoder[2](x.flatten(1)).chunk(2, 1)
        return mu, (log_var / 2).exp()


class FeatureMaps(nn.Module):
    """Codes are feature maps; the names are short, the output tuple has the input first."""

    def __init__(self):
        super().__init__()
        self.enc, self.dec = nn.Conv2d(1, 2, 2, 2), nn.ConvTranspose2d(2, 1, 2, 2)

    def forward(self, x):
        return x, self.dec(self.enc(x)).clamp(0, 1)


class Recurrent(nn.Module):
    """An LSTM reads the rows of an image."""

    def __init__(self):
        super().__init__()
        self.lstm, self.out = nn.LSTM(SIDE, 4, batch_first=True), nn.Linear(4, PIXELS)

    def encode(self, x):
        return self.lstm(x)[1][0][0]

    def decode(self, z):
        return self.out(z).sigmoid().view(-1, SIDE, SIDE)

    def forward(self, x):
        z = self.encode(x)
        return self.decode(z), z


class RandomCodes(nn.Module):
    """Codes with noise that is not normal."""

    def __init__(self):
        super().__init__()
        self.encoder, self.decoder = RandomMask(), dense(4, PIXELS, last=nn.Sigmoid())

    def forward(self, x):
        return self.decoder(self.encoder(x))


class RandomMask(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(PIXELS, 4)

    def forward(self, x):
        z = self.layer(x.flatten(1))
        return z * (torch.rand_like(z) > 0.5)


NAMED = (CourseAE, ImagesOnly, ExampleVAE, HalvesVAE, PageVAE, ConvAE)
OTHERS = (HeadsInForward, Distributions, SamplesInTraining, LayerSamples)
OTHERS += (FeatureMaps, Recurrent, RandomCodes)
# Of these, all that is drawn and written is tried in every run.
IN_EVERY_RUN = (CourseAE, ExampleVAE, Recurrent)
WITH_POSTERIOR = (ExampleVAE, HalvesVAE, PageVAE, *OTHERS[:4])


def made(kind, *arguments, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return kind(*arguments)


def images(n=12, *shape):
    shape = shape or (SIDE, SIDE)
    return torch.rand(n, *shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("kind", [*NAMED, *OTHERS])
def test_every_way_of_writing_has_the_interface_and_is_left_as_it_was(kind):
    module, x = made(kind), images()
    weights, attributes = copy.deepcopy(module.state_dict()), dict(vars(module))
    state = torch.random.get_rng_state()
    model = as_autoencoder(module, x)
    assert isinstance(model, Autoencoder)
    codes = ae.embed(module, x)
    assert torch.equal(codes, ae.embed(module, x))
    assert not codes.requires_grad
    assert ae.reconstruct(module, x).shape == x.shape
    assert model.sizes.x == (SIDE, SIDE)
    assert model.sizes.z == codes.shape[1:]
    assert module.training
    assert all(each.training for each in module.modules())
    assert all(torch.equal(module.state_dict()[name], t) for name, t in weights.items())
    assert vars(module) == attributes
    assert torch.equal(torch.random.get_rng_state(), state)


def test_codes_and_images_are_those_of_the_module():
    module, x = made(CourseAE).eval(), images()
    codes, decoded = module(x)
    assert torch.equal(ae.embed(module, x), codes)
    assert torch.equal(ae.reconstruct(module, x), decoded)


@pytest.mark.parametrize("kind", WITH_POSTERIOR)
def test_the_posterior_is_that_of_the_module(kind):
    module, x = made(kind), images()
    q = as_autoencoder(module, x).encode(x).q
    mu, sigma = module.posterior(x)
    assert torch.allclose(q.mean, mu, atol=1e-5)
    assert torch.allclose(q.stddev, sigma, rtol=1e-3)


def test_a_module_without_posterior_has_no_prior():
    model = as_autoencoder(made(CourseAE), images())
    assert model.prior() is None
    assert model.encode(images()).q is None


def test_the_sigmoid_of_forward_is_applied(capsys):
    module, x = made(ConvAE), images()
    found = ae.reconstruct(module, x)
    assert "to which forward applies a sigmoid" in capsys.readouterr().err
    assert torch.allclose(found, module.eval()(x[:, None])[:, 0], atol=1e-5)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (CourseAE, "codes [2] from encoder, images [8, 8] from decoder"),
        (CourseAE, "forward gives (codes, images)."),
        (ImagesOnly, "forward gives images."),
        (ExampleVAE, "codes [2] from encode (mean and log-variance), images [8, 8] from decode,"),
        (ExampleVAE, "forward gives (images, mean, log-variance); prior: standard normal, assumed"),
        (HalvesVAE, "(mean and log of the standard deviation)"),
        (PageVAE, "(which samples: mean and σ found with its noise set to 0 and 1)"),
        (RandomCodes, "(which are random: a fixed seed is used)"),
        (Distributions, "It has no forward"),
        (FeatureMaps, "codes [2, 4, 4] from enc, "),
        (FeatureMaps, "forward applies a clamp to [0, 1]"),
    ],
)
def test_what_was_understood_is_said_in_one_line_and_once(kind, said, capsys):
    module = made(kind)
    ae.plot(module, images())
    line = capsys.readouterr().err
    assert said in line
    assert line.count("\n") == 1
    ae.plot_latent(module, images())
    ae.plot_reconstructed(module, n=2)
    assert capsys.readouterr().err == ""


def test_values_outside_the_range_are_noticed(capsys):
    module = made(CourseAE)
    with torch.no_grad():
        module.decoder[0][2].bias.fill_(2.0)
    module.decoder[0][3] = nn.Identity()
    ae.plot(module, images())
    assert "Values outside [0, 1] are cut off" in capsys.readouterr().err


def test_an_image_that_forward_does_not_give_is_noticed(capsys):
    class Skips(CourseAE):
        def forward(self, x):
            return 0.5 * self.decoder(self.encoder(x)) + 0.5 * x

    ae.plot(made(Skips), images())
    assert "The images of forward differ" in capsys.readouterr().err


def test_codes_that_depend_on_the_batch_are_noticed(capsys):
    class Centred(CourseAE):
        def encode(self, x):
            z = self.encoder(x)
            return z - z.mean(0)

        def forward(self, x):
            return self.decoder(self.encode(x))

    ae.embed(made(Centred), images())
    assert "depends on the other examples of its batch" in capsys.readouterr().err


def test_a_second_output_is_a_posterior_only_if_forward_samples_with_it(capsys):
    class Two(CourseAE):
        def encode(self, x):
            return self.encoder(x), self.encoder(x) ** 2

        def forward(self, x):
            return self.decoder(self.encode(x)[0])

    module = made(Two)
    assert as_autoencoder(module, images()).prior() is None
    assert "there is no posterior" in capsys.readouterr().err

    class Alone(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = made(Two)
            self.encode, self.decode = self.inner.encode, self.inner.decoder

    assert as_autoencoder(Alone(), images()).prior() is not None
    assert "cannot be tried: it is taken as the log-variance" in capsys.readouterr().err


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_other_precisions(dtype):
    module, x = made(CourseAE).to(dtype), images()
    codes = ae.embed(module, x)
    assert codes.dtype is torch.float32
    assert torch.allclose(codes, module(x.to(dtype))[0].float(), atol=1e-6)


def test_shapes_of_examples():
    module, x = made(ConvAE), images()
    expected = ae.embed(module, x)
    assert torch.equal(ae.embed(module, x[:, None]), expected)
    assert torch.equal(ae.embed(module, x.numpy()), expected)
    flat = ae.reconstruct(module, x.flatten(1))
    assert torch.allclose(flat.flatten(1), ae.reconstruct(module, x).flatten(1))
    colour = made(ConvAE, 3)
    assert ae.reconstruct(colour, images(5, 3, SIDE, SIDE)).shape == (5, 3, SIDE, SIDE)


def test_one_colour_image_is_not_taken_for_a_batch():
    colour, two = made(ConvAE, 3), images(2, 3, SIDE, SIDE)
    assert ae.interpolate(colour, two[0], two[1], 3)
    assert ae.interpolate(made(ConvAE), images()[0], images()[1:2], 3)


@pytest.mark.long
def test_rows_of_a_table(tmp_path):
    class Rows(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder, self.decoder = nn.Linear(30, 2), nn.Linear(2, 30)

    module = made(Rows)
    rows = torch.randn(50, 30, generator=torch.Generator().manual_seed(0))
    assert torch.equal(ae.embed(module, rows), module.encoder(rows))
    data = ae.load_data(rows.numpy(), scale="standard")
    x = data.test.x
    expected = (module.decoder(module.encoder(x)) - x).square().sum(1).mean()
    found = ae.evaluate(module, data)
    assert found["squared_error"] == pytest.approx(expected.item(), rel=1e-5)
    assert ae.write_report(module, data, out=tmp_path).exists()
    assert ae.Explorer(module, data).html


def test_wrapped_modules_are_unwrapped():
    module, x = made(CourseAE), images()
    wrapped = nn.DataParallel(module)
    assert torch.equal(ae.embed(wrapped, x), ae.embed(module, x))


def test_the_decoder_alone_is_enough_for_a_grid():
    module = made(PageVAE)
    for figure in (ae.plot_reconstructed(module, n=2), ae.plot_reconstructed(made(ConvAE), n=2)):
        assert figure.axes


def test_metrics_are_those_of_the_module(digits):
    module = made(CourseAE).eval()
    found = ae.evaluate(module, digits)
    x = digits.test.x.float() / (255 if digits.test.x.dtype == torch.uint8 else 1)
    with torch.no_grad():
        expected = (module(x)[1] - x).square().flatten(1).sum(1).mean()
    assert found["squared_error"] == pytest.approx(expected.item(), rel=1e-5)
    assert found.left_out["objective"] == "the loss of a module is not known"


def test_the_kl_of_a_module_is_its_kl(digits):
    module = made(ExampleVAE)
    mu, sigma = module.posterior(digits.test.x.float())
    kl = (0.5 * (sigma**2 + mu**2 - 1) - sigma.log()).mean(0)
    found = ae.evaluate(module, digits, ["codes"])["kl_per_dimension"]
    assert found == pytest.approx(kl.tolist(), rel=1e-3)


def test_arrays_are_all_measured_and_names_are_divided(capsys):
    module = made(CourseAE)
    assert ae.evaluate(module, images(40), ["reconstruction"]).n_test == 40
    assert "all 40 test examples" in capsys.readouterr().err
    assert ae.evaluate(module, "digits", ["reconstruction"]).n_test == 359
    assert "359 test examples of digits; whether" in capsys.readouterr().err


def test_samples_and_scores(digits):
    vae, plain = made(ExampleVAE), made(CourseAE)
    assert ae.generate(vae, 3, data=digits).shape == (3, SIDE, SIDE)
    assert ae.generate(plain, 3, data=digits).shape == (3, SIDE, SIDE)
    scores = ae.score(plain, digits)
    expected = (plain(digits.test.x.float())[1] - digits.test.x).square().flatten(1).sum(1)
    assert torch.allclose(scores.float(), expected, rtol=1e-4)
    with pytest.raises(RecipeError, match="a module has no likelihood"):
        ae.score(vae, digits, "elbo")
    with pytest.raises(DataError, match="Give the training data"):
        ae.generate(made(CourseAE), 3)


@pytest.mark.long
@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(kind, marks=() if kind in IN_EVERY_RUN else pytest.mark.slow)
        for kind in (*NAMED, *OTHERS)
    ],
)
def test_every_way_is_plotted_reported_and_explored(kind, digits, tmp_path):
    module, x = made(kind), digits.test.x[:40]
    assert ae.plot(module, (x, digits.test.y[:40])).axes
    assert ae.plot_latent(module, x).axes
    assert ae.interpolate(module, x[0], x[1], 3).axes
    path = ae.write_report(module, digits, out=tmp_path)
    page = path.read_text(encoding="utf-8")
    assert path == tmp_path / "report.html"
    assert (tmp_path / "metrics.json").exists()
    assert "objective: the loss of a module is not known" in page
    assert "Samples from random codes" in page
    assert kind.__name__ in page
    explorer = ae.Explorer(module, digits, points=30)
    assert "<html" in explorer.html
    assert kind.__name__ in explorer.html
    assert module.training


def test_functions_for_trained_models_alone_say_so(digits):
    module = made(CourseAE)
    for call in (lambda: ae.export(module, "a.onnx"), lambda: ae.impute(module, digits.test.x)):
        with pytest.raises(DataError, match="CourseAE was not trained by this package"):
            call()
    with pytest.raises(RecipeError, match=r"or use ae\.reconstruct"):
        ae.denoise(module, digits)


def test_one_latent_dimension(digits):
    class Narrow(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder, self.decoder = dense(PIXELS, 1), dense(1, PIXELS)

    module = made(Narrow)
    assert ae.plot_latent(module, images()).axes
    assert ae.plot_reconstructed(module, n=3).axes
    with pytest.raises(AutoencodeError, match="The latent space of Narrow has one dimension"):
        ae.Explorer(module, digits).html  # noqa: B018  # it is made when it is read


def test_pages_need_data_and_a_folder(tmp_path, digits):
    module = made(CourseAE)
    for arguments in ({"data": digits}, {"path": digits}):
        with pytest.raises(AutoencodeError, match=r'write_report\(module, "mnist", out="folder"\)'):
            ae.write_report(module, **arguments)
    with pytest.raises(DataError, match='data="mnist"'):
        ae.Explorer(module)


@pytest.mark.long
def test_an_encoder_that_a_page_cannot_compute_is_explained(digits):
    explorer = ae.Explorer(made(RandomCodes), digits, points=20)
    model = explorer.runs[0].load_model()
    with pytest.raises(AutoencodeError, match="draws random numbers"):
        encoder_graph(model)
    assert explorer.html


@pytest.mark.long
def test_a_loss_kept_as_an_attribute_does_not_hinder_the_page(digits):
    module = made(PageVAE)
    module(digits.test.x[:3].float())
    kept = module.encoder.kl
    assert kept.requires_grad
    assert ae.Explorer(module, digits, points=20).html
    assert module.encoder.kl is kept
