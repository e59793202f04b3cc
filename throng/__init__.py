"""The command line and the settings: the one place that knows all others."""

__version__ = "0.1.0"
