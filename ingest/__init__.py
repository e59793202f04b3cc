"""From packet to durable log: parse, understand, decide, apply, append, and only then answer."""
