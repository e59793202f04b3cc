-- one_statement: a second one behind a comment
SELECT 1 /* ; */ ; ATTACH 'x' AS y --
