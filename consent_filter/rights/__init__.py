"""Requests of people about their own data: received, proved, counted down, carried out, answered, emptied."""
