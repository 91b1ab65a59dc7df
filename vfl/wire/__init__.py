"""Messages, their bytes and their order. No arrays, no cryptography, no sockets."""
