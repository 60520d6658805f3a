"""From records and the published table to what the pages show; everything printed in the book is computed here."""

from lcmat.files.extras import require

require("run", "great_tables", "IPython", "matplotlib", "pandas", "seaborn")

from lcmat.report.execution import executions
from lcmat.report.paired import paired_to, paired_to_baseline
from lcmat.report.plots import draw_differences, draw_strengths, plot_selector_age, plot_setting
from lcmat.report.protocol import paper_parameters
from lcmat.report.published import compare, read_published, verdict_counts
from lcmat.report.runs import (
    as_defined,
    by_selector_age,
    done_runs,
    group_seeds,
    runs_frame,
    with_default_selector,
)
from lcmat.report.schemes import method_label
from lcmat.report.sentences import describe_differences
from lcmat.report.tables import (
    accuracy_table,
    counts_table,
    differences_table,
    not_run,
    problems_notice,
    provenance_table,
    table,
)

__all__ = [
    "accuracy_table",
    "as_defined",
    "by_selector_age",
    "compare",
    "counts_table",
    "describe_differences",
    "differences_table",
    "done_runs",
    "draw_differences",
    "draw_strengths",
    "executions",
    "group_seeds",
    "method_label",
    "not_run",
    "paired_to",
    "paired_to_baseline",
    "paper_parameters",
    "plot_selector_age",
    "plot_setting",
    "problems_notice",
    "provenance_table",
    "read_published",
    "runs_frame",
    "table",
    "verdict_counts",
    "with_default_selector",
]
