"""The version of Mirage: the one place where it is written, for the client and for the service."""

__version__ = "0.1.0"
