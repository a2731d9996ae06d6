# SPDX-License-Identifier: Apache-2.0
"""The subcommands; each module has ``register(subparsers)``."""
