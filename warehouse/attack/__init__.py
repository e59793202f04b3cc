"""Attacks on what is about to be released, before anyone else can try them (S8, S19; docs/attacks.md)."""
