"""A fastai image classifier as a page anyone can open, and as a command line."""

__version__ = "0.1.0"
