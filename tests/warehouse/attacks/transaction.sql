-- read_only: holding on to a state
BEGIN
