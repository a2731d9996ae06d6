"""The subcommands; each module has ``register(subparsers)``."""
