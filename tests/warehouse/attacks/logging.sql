-- read_only: writing down what others ask
CALL enable_logging()
