-- read_only: taking the tables away
DETACH reports
