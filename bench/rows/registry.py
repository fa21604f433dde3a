"""The groups of rows that report.py --only chooses from."""

from rows import cluster_modes, cluster_proof, cluster_recovery, cluster_size, cluster_steps
from rows import engine_kernels, engine_steps, engine_tests


def engine_rows(options):
    return engine_kernels.rows(options) + engine_steps.rows(options) + engine_tests.rows(options)


def cluster_rows(options):
    return (cluster_proof.rows(options) + cluster_recovery.rows(options)
            + cluster_steps.rows(options) + cluster_size.rows(options)
            + cluster_modes.rows(options))


# Name: a function of the options that returns the group's rows.
GROUPS = {
    "cluster": cluster_rows,
    "engine": engine_rows,
}
