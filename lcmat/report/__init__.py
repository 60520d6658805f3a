"""From records and the published table to what the pages show; everything printed in the book is computed here."""

from lcmat.report.execution import executions
from lcmat.report.headline import plot_setting
from lcmat.report.paired import describe_differences, paired_to_baseline
from lcmat.report.published import compare, paper_parameters, read_published, verdict_counts
from lcmat.report.runs import done_runs, group_seeds, method_label, runs_frame
from lcmat.report.tables import (
    accuracy_table,
    comparison_table,
    counts_table,
    differences_table,
    not_run,
    problems_notice,
    protocol_text,
    provenance_table,
)

__all__ = [
    "accuracy_table",
    "compare",
    "comparison_table",
    "counts_table",
    "describe_differences",
    "differences_table",
    "done_runs",
    "executions",
    "group_seeds",
    "method_label",
    "not_run",
    "paired_to_baseline",
    "paper_parameters",
    "plot_setting",
    "problems_notice",
    "protocol_text",
    "provenance_table",
    "read_published",
    "runs_frame",
    "verdict_counts",
]
