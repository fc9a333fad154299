"""The commands of `python -m training`, one file each; what they do is in the modules of the same names above."""
