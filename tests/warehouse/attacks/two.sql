-- one_statement: a second one behind the first
SELECT 1; DROP TABLE pages
