"""The command line: ``pushforward fit | resume | sample | score | audit | game | compare | show``."""

from pushforward.cli.app import main

__all__ = ["main"]
