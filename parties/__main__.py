"""``python -m parties`` is ``vfl``."""

from parties.commands.cli import main

main(prog_name="vfl")
