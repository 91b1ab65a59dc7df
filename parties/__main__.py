"""``python -m parties`` is ``vfl``."""

from parties.cli import main

main(prog_name="vfl")
