"""autoencode: train, evaluate, plot and use autoencoders.

    import autoencode as ae

    run = ae.fit("vae", "mnist", latent=2, out="runs/vae")
    model = ae.load("runs/vae")
    codes, images = model(ae.sample_train(10))

Names are imported on first use, so that `import autoencode` is fast.
"""

from typing import TYPE_CHECKING

from autoencode.lazy import attach

if TYPE_CHECKING:
    from autoencode.contract import Sizes as Sizes
    from autoencode.contract import Space as Space
    from autoencode.data import load_data as load_data
    from autoencode.data import preprocess as preprocess
    from autoencode.data import sample_test as sample_test
    from autoencode.data import sample_train as sample_train
    from autoencode.errors import AutoencodeError as AutoencodeError
    from autoencode.evaluation import embed as embed
    from autoencode.evaluation import reconstruct as reconstruct
    from autoencode.evaluation.evaluate import evaluate as evaluate
    from autoencode.explorer.notebook import Explorer as Explorer
    from autoencode.models.build import build as build
    from autoencode.models.recipe import Recipe as Recipe
    from autoencode.models.recipe import Spec as Spec
    from autoencode.models.recipe import Weighted as Weighted
    from autoencode.models.recipes.table import RECIPES as RECIPES
    from autoencode.models.run import load as load
    from autoencode.models.run import open_run as open_run
    from autoencode.report import write_report as write_report
    from autoencode.report.plots import interpolate as interpolate
    from autoencode.report.plots import plot as plot
    from autoencode.report.plots import plot_latent as plot_latent
    from autoencode.report.plots import plot_reconstructed as plot_reconstructed
    from autoencode.report.plots import show as show
    from autoencode.scale.jobs import Job as Job
    from autoencode.scale.many import fit_many as fit_many
    from autoencode.scale.search import sweep as sweep
    from autoencode.sklearn import AutoencoderDetector as AutoencoderDetector
    from autoencode.sklearn import AutoencoderTransformer as AutoencoderTransformer
    from autoencode.train import fit as fit
    from autoencode.train import resume as resume
    from autoencode.use.export import export as export
    from autoencode.use.gaps import impute as impute
    from autoencode.use.generation import generate as generate
    from autoencode.use.hub import pull as pull
    from autoencode.use.hub import push as push
    from autoencode.use.reconstructions import denoise as denoise
    from autoencode.use.scores import score as score
    from autoencode.version import __version__ as __version__

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "contract": ["Sizes", "Space"],
        "data": ["load_data", "preprocess", "sample_test", "sample_train"],
        "errors": ["AutoencodeError"],
        "evaluation": ["embed", "evaluate", "reconstruct"],
        "explorer.notebook": ["Explorer"],
        "models.build": ["build"],
        "models.recipe": ["Recipe", "Spec", "Weighted"],
        "models.recipes.table": ["RECIPES"],
        "models.run": ["load", "open_run"],
        "report": ["write_report"],
        "report.plots": ["interpolate", "plot", "plot_latent", "plot_reconstructed", "show"],
        "scale.jobs": ["Job"],
        "scale.many": ["fit_many"],
        "scale.search": ["sweep"],
        "sklearn": ["AutoencoderDetector", "AutoencoderTransformer"],
        "train": ["fit", "resume"],
        "use.export": ["export"],
        "use.gaps": ["impute"],
        "use.generation": ["generate"],
        "use.hub": ["pull", "push"],
        "use.reconstructions": ["denoise"],
        "use.scores": ["score"],
        "version": ["__version__"],
    },
)
