"""Each measures its floor in the same run."""
