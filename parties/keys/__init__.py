"""What a party proves itself and seals numbers with: certificates, identities and Paillier keys."""
