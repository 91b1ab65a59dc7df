"""The link between parties: HTTPS both ways, patience, the handshake, and timing."""
