"""Pictures and pages: the only part of the house that draws."""

from autoencode.report.page import write_comparison_page, write_report

__all__ = ["write_comparison_page", "write_report"]
