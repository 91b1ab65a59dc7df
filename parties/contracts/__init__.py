"""Contracts of jobs: proposed, held against rules, signed, kept."""
