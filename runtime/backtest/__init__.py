"""What a scene would have raised: the live stages over history, and everything that is asked of that."""
