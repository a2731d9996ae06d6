# SPDX-License-Identifier: Apache-2.0
"""The one error type of the package: every message says what is wrong and what to do."""


class TrainError(Exception):
    """A mistake in the input (files, options, models). The command line prints it as one line, exit code 2."""
