"""A real database and a real storage on this machine: facts over both, as many machines have them."""
