-- closed: a statement in JSON
FROM json_execute_serialized_sql('{}')
