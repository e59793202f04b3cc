/*
title = "Errors"
doc = "Errors of pages by kind and page, as browsers told when a page was left: never a message, a file or a line. foreign: of a script of another origin, of which browsers tell nothing. Above five the number is the beginning of its band (5, 10, 20)."
owner = "product"
purpose = "measurement"
keys = ["site", "day", "error", "path"]
sums = ["errors"]
fold = ["error", "path"]

[caps]
cells = 50
errors = 20
*/
SELECT site, day, name AS error, coalesce(path, '(none)') AS path, person,
    sum(coalesce(value, 1))::BIGINT AS errors
FROM events WHERE type = 'error' AND name IS NOT NULL GROUP BY ALL
