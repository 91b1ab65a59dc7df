"""``vfl party rotate-tls``, ``expect`` and ``rotate-paillier``: new keys without an interruption."""

from __future__ import annotations

from pathlib import Path

import click

from parties import config as configuration
from parties.commands.output import example, json_option, party_directory, show
from parties.keys import rotation, tls
from vfl.errors import ConfigError


@click.command(epilog=example("vfl party rotate-tls bureau"))
@party_directory
@click.option(
    "--dev-ca", type=click.Path(path_type=Path, exists=True), help="Development authority that signs."
)
@click.option("--activate", is_flag=True, help="Bring the next key into use.")
@json_option
def rotate_tls(directory: Path, dev_ca: Path | None, activate: bool, as_json: bool) -> None:
    """Make the next TLS key of DIR; with --activate, bring it into use.

    In between, peers accept the certificate to come with `vfl party expect`.
    """
    config = configuration.load(directory)
    if activate:
        facts = {"fingerprint": rotation.activate_tls(config)}
        show(facts, as_json, f"in use: {facts['fingerprint']}; restart the server")
        return
    files = rotation.prepare_tls(config, dev_ca)
    if files.certificate.exists():
        show({"next_fingerprint": tls.fingerprint_of_file(files.certificate)}, as_json)
    else:
        show({"signing_request": str(files.key.with_name("request.pem"))}, as_json)


@click.command(epilog=example("vfl party expect bank bureau --next 3f...9c"))
@party_directory
@click.argument("peer")
@click.option("--next", "fingerprint", help="Fingerprint of the certificate to come, accepted from now on.")
@click.option("--only", is_flag=True, help="The one that was to come is the only one from now on.")
@json_option
def expect(directory: Path, peer: str, fingerprint: str | None, only: bool, as_json: bool) -> None:
    """Follow PEER to its next TLS certificate: first accept both, later the new one alone."""
    if only == bool(fingerprint):
        raise ConfigError("give --next with a fingerprint, or --only")
    if fingerprint:
        config = rotation.expect(directory, peer, fingerprint)
    else:
        config = rotation.conclude(directory, peer)
    accepted = sorted(config.peers[peer].fingerprints)
    show({"accepted": accepted}, as_json, f"accepted of {peer}: {', '.join(accepted)}; restart the server")


@click.command(epilog=example("vfl party rotate-paillier bank"))
@party_directory
def rotate_paillier(directory: Path) -> None:
    """Replace the Paillier key of DIR by a new one under the same password; models need neither."""
    rotation.rotate_paillier(configuration.load(directory))
    click.echo("the next training uses a new key")
