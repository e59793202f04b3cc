-- closed: in a place where functions hide
SELECT 1 FROM pages ORDER BY current_setting('secret_directory')
