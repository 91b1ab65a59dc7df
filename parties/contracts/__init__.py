"""Contracts of jobs: proposed, checked by rules, signed, stored."""
