"""Places, devices and device types: data, validated once, looked up fast."""
