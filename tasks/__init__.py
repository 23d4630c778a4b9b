"""The built-in tasks, one file or folder each; `common` holds helpers that several share."""
