"""Projects records to MLflow."""
