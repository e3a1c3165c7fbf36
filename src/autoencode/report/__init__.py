"""Pictures and pages: the only part of the house that draws."""

from autoencode.report.pages.card import write_card
from autoencode.report.pages.comparison import write_comparison_page
from autoencode.report.pages.report import write_report
from autoencode.report.pictures import grid_picture, pairs_picture, save_picture, strip_picture
from autoencode.report.plots import interpolate, plot, plot_latent, plot_reconstructed, show

__all__ = [
    "grid_picture",
    "interpolate",
    "pairs_picture",
    "plot",
    "plot_latent",
    "plot_reconstructed",
    "save_picture",
    "show",
    "strip_picture",
    "write_card",
    "write_comparison_page",
    "write_report",
]
