"""The built-in adapters. They use the same interface as anybody's own."""
