"""Runnable stories: several institutions on one machine, each a process of its own."""
