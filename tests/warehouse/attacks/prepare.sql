-- read_only: a statement for later
PREPARE later AS FROM pages
