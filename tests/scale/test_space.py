"""What a sweep varies: the texts of the command, their meaning, and what is refused."""

import pytest

from autoencode.errors import RecipeError
from autoencode.models.recipes.table import RECIPES
from autoencode.scale.space import Choices, NumberRange, label_of, space_of, with_values

VAE = RECIPES["vae"]


@pytest.mark.parametrize(
    ("text", "name", "found"),
    [
        ("latent=2..64:log", "latent", NumberRange(2, 64, True, True)),
        ("latent=2.0..8", "latent", NumberRange(2, 8, False, True)),
        ("terms.kl.weight=0.1..10:log", "terms.kl.weight", NumberRange(0.1, 10.0, True)),
        ("terms.kl.weight=1..4", "terms.kl.weight", NumberRange(1.0, 4.0)),
        ("lr=1e-4..1e-2:log", "lr", NumberRange(1e-4, 1e-2, True)),
        ("ema=0.9..0.999", "ema", NumberRange(0.9, 0.999)),
        ("warmup=0..500", "warmup", NumberRange(0, 500, False, True)),
        ("batch-size=1e2..5e2", "batch_size", NumberRange(100, 500, False, True)),
        ("samples=1..5", "samples", NumberRange(1, 5, False, True)),
        ("network.dropout=0..0.5", "network.dropout", NumberRange(0.0, 0.5)),
        ("batch_size=50|100", "batch_size", Choices((50, 100))),
        ("network.hidden=[256]|[512]|[512,256]", "network.hidden",
         Choices(((256,), (512,), (512, 256)))),
        ("network.hidden=[]|[8]", "network.hidden", Choices(((), (8,)))),
        ("network.activation=relu|gelu", "network.activation", Choices(("relu", "gelu"))),
        ("prior=normal|mixture", "prior", Choices(("normal", "mixture"))),
        ("schedule= cosine | constant", "schedule", Choices(("cosine", "constant"))),
        ("ema=none|0.99", "ema", Choices((None, 0.99))),
        ("corruption=none|gaussian-noise", "corruption", Choices((None, "gaussian-noise"))),
        ("schedules.terms.kl.weight=linear:0,5|cyclical:0,50", "schedules.terms.kl.weight",
         Choices(("linear:0,5", "cyclical:0,50"))),
    ],
)  # fmt: skip
def test_texts(text, name, found):
    space = space_of(VAE, [text])
    assert space == {name: found}
    number = space[name]
    if isinstance(number, NumberRange):
        assert [type(end) for end in (number.low, number.high)] == [
            int if number.whole else float
        ] * 2
    # The text of a dimension is read as the same dimension.
    assert space_of(VAE, {name: str(found)}) == space


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("latnet=2..4", 'nothing named "latnet" to vary. Did you mean "latent"?'),
        ("hidden=[1]|[2]", 'nothing named "hidden" to vary. Did you mean "network.hidden"?'),
        ("prior.components=2..5", 'nothing named "prior.components"'),
        ("latent=8..2", "begins above its end. Write latent=2..8."),
        ("lr=1e-2..1e-4:log", "begins above its end. Write lr=1e-4..1e-2:log."),
        ("latent=4..4", "has one value. --latent 4."),
        ("latent=2.5..8", 'takes whole numbers, and "2.5" is none'),
        ("latent=0..8", "latent must be a whole number from 1 to 1,000,000, and is 0"),
        ("lr=0..1:log", "begins at 0, and a logarithmic scale needs numbers above 0"),
        ("lr=-1..1", "lr must be a finite number from 0 to"),
        ("lr=1e-4..1e-2:ln", 'has the scale "ln". The only scale to write is log'),
        ("lr=a..1", '"a" in lr=a..1 is not a finite number'),
        ("lr=0.1..inf", '"inf" in lr=0.1..inf is not a finite number'),
        ("lr=nan..1", '"nan" in lr=nan..1 is not a finite number'),
        (f"lr=0..1{'0' * 400}", "is not a finite number"),
        (f"latent=2..{'9' * 5000}", "is not a finite number"),
        (f"network.hidden={'[' * 5000}|[8]", "network.hidden must be a list"),
        ("lr=1..2..3", '"2..3" in lr=1..2..3 is not a finite number'),
        ("lr=1..", '"" in lr=1.. is not a finite number'),
        ("prior=1..2", "prior is not a number, so it has no range 1..2"),
        ("network.hidden=8..64", "Give values separated by |: network.hidden=[256]|[512,256]"),
        ("network.activation=a..b", "network.activation is not a number"),
        ("schedule=cosine|cubic", "schedule must be one of"),
        ("network.activation=relu|rleu", 'Did you mean "relu"?'),
        ("network.hidden=[8]|8", "network.hidden must be a list"),
        ("prior=normal|nromal", 'Did you mean "normal"?'),
        ("latent=8", "Fix it instead: --latent 8."),
        ("terms.kl.weight=4", "Fix it instead: --set terms.kl.weight=4."),
        ("batch_size=8", "Fix it instead: --batch-size 8."),
        ("latent=2|4|2", "hold one twice"),
        ("latent=2||4", 'has an empty value between "|"'),
        ("latent", '--vary takes NAME=VALUES, and got "latent"'),
        ("latent=", "--vary takes NAME=VALUES"),
        ("=2..4", "--vary takes NAME=VALUES"),
        ("seed=0..9", "a sweep does not vary. Train each configuration with several seeds"),
        ("device=cpu|cuda", "device is a setting that a sweep does not vary"),
        ("training.lr=1..2", "Write its own name: --vary lr="),
    ],
)  # fmt: skip
def test_refusals(text, words):
    with pytest.raises(RecipeError) as caught:
        space_of(VAE, [text])
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("vary", "words"),
    [
        ({}, "A sweep varies nothing"),
        ({"latent": 3}, "The values of latent are 3"),
        ({"latent": [2]}, 'latent has one value, "2"'),
        ({"latent": ["2", "4"]}, "latent must be a whole number"),
        (["lr=1e-4..1e-2", "lr=1..2"], "lr is varied twice"),
    ],
)
def test_refusals_in_python(vary, words):
    with pytest.raises(RecipeError) as caught:
        space_of(VAE, vary)
    assert words in str(caught.value)


def test_lists_and_single_texts_in_python():
    assert space_of(VAE, "latent=2..4") == {"latent": NumberRange(2, 4, False, True)}
    assert space_of(VAE, {"latent": range(2, 5)}) == {"latent": Choices((2, 3, 4))}
    hidden = {"network.hidden": [[256], (512, 256)]}
    assert space_of(VAE, hidden) == {"network.hidden": Choices(((256,), (512, 256)))}


def test_what_is_varied_is_not_also_set():
    with pytest.raises(RecipeError, match=r"lr is varied and also set to 0.1"):
        space_of(VAE, ["lr=1e-4..1e-2"], {"lr": 0.1})


def test_settings_that_need_one_another():
    factor = "schedule_factor=0.1..0.5"
    with pytest.raises(RecipeError, match="schedule_factor has no meaning"):
        space_of(VAE, [factor])
    space_of(VAE, [factor], {"schedule": "step"})
    space_of(VAE, [factor, "schedule=step|cosine"])  # some trials fail
    with pytest.raises(RecipeError, match="schedule_factor has no meaning"):
        with_values(VAE, {}, {"schedule": "cosine", "schedule_factor": 0.2})


def test_parts_are_set_before_their_arguments():
    values = {"prior.components": 7, "latent": 3, "prior": "mixture", "lr": 0.5}
    recipe, settings = with_values(VAE, {"steps": 9}, values)
    assert recipe.prior.kind == "mixture"
    assert recipe.prior.args == {"components": 7}
    assert recipe.latent == 3
    assert settings == {"steps": 9, "lr": 0.5}


@pytest.mark.parametrize("value", [None, True, 3, 0.1, 1e-05, "relu", (512, 256), ()])
def test_labels_are_read_back(value):
    from autoencode.arguments import read_value

    assert read_value(label_of(value)) == value
    assert type(read_value(label_of(value))) is type(value)
