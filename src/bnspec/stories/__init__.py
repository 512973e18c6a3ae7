"""Stories: confusions that people have asked about, run in the environments where they met them, and judged."""
