"""How much of its codebooks a model uses."""

import pytest
import torch

from autoencode.evaluation import evaluate
from autoencode.evaluation.metrics.codebook import perplexities, used_shares
from autoencode.models.recipes.table import RECIPES
from autoencode.parts.bottlenecks.quantised import Quantised


def test_perplexity_is_e_to_the_entropy():
    frequencies = torch.tensor([[1, 1, 2, 0, 0], [4, 0, 0, 0, 0], [1, 1, 1, 1, 0]])
    index = torch.stack([torch.arange(5).repeat_interleave(each) for each in frequencies])
    expected = torch.distributions.Categorical(probs=frequencies.double()).entropy().exp()
    torch.testing.assert_close(perplexities(index, 5), expected)
    assert perplexities(index, 5).tolist()[1:] == pytest.approx([1, 4])
    assert used_shares(index, 5).tolist() == pytest.approx([0.6, 0.2, 0.8])
    assert perplexities(torch.zeros(2, 0, dtype=torch.long), 5).tolist() == [1, 1]


NAMES = ["vq-vae", "pq-vae", "rq-vae", "lfq", "gumbel-vae", "fsq"]


@pytest.mark.parametrize("name", NAMES)
def test_a_model_with_discrete_codes_says_what_it_uses(name, make_model, make_data):
    data = make_data((6, 5))
    recipe = RECIPES[name].but(sampler=None, schedules={})
    model = make_model(recipe.set("network.hidden", (16,)), (6, 5), 16)
    found = evaluate(model, data, ("codes",)).to_dict()
    (book,) = (each for each in model.modules() if isinstance(each, Quantised))
    index = model.encode(data.test.x.float() / 255).index
    used, effective = [], []
    for part in index.chunk(book.books, 1):
        counts = part.unique(return_counts=True)[1].double()
        used.append(len(counts) / book.entries)
        effective.append(torch.distributions.Categorical(probs=counts).entropy().exp().item())
    assert found["codebook_used"] == pytest.approx(sum(used) / book.books)
    assert found["codebook_perplexity"] == pytest.approx(sum(effective) / book.books)
    assert f"of {book.entries}" in found["notes"]["codebook_used"]
    assert ("codebooks" in found["notes"]["codebook_used"]) == (book.books > 1)


def test_continuous_codes_and_endless_books_are_left_out(make_model, make_data):
    data, levels = make_data((6, 5)), (8,) * 8
    wide = RECIPES["fsq"].but(sampler=None).set("bottleneck.levels", levels)
    for recipe, latent in ((RECIPES["ae"], 2), (wide, 8)):
        model = make_model(recipe, (6, 5), latent)
        assert not [name for name in evaluate(model, data, ("codes",)) if "codebook" in name]
