"""What `make` calls beside the program."""
