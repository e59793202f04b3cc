"""Whatever can fail does, at random, while events come in: what was acknowledged is stored exactly once."""
