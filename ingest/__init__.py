"""The door: MQTT bytes become columns, columns become a journal."""
