"""A real broker on this machine, made from its published jars alone."""
