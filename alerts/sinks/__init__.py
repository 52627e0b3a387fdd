"""Where alerts go: the shells that speak HTTP, MQTT and chat."""
