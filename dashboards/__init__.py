"""What people see: pages over released tables, never facts, never the log."""
