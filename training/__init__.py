"""Offline: a folder or zip of pictures -> one checkpoint file that the service can load."""
