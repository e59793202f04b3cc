-- closed: one setting, with paths in it
SELECT current_setting('allowed_paths')
