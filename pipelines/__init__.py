"""Beam jobs, thin: every function that a job maps also runs, and is tested, in a for loop."""
