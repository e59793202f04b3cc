"""The IAB's consent strings, read strictly: what cannot be read has a reason, and is a refusal."""
