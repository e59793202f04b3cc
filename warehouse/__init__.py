"""Facts at rest, reports, release and publication. The one place that knows DuckDB."""
