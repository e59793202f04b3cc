"""What a recipient holds: paper, sheet, page and tables of one draft, the same bytes each time."""
