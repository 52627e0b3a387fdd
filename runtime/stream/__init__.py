"""The distributed runtime: Faust on Apache Kafka drives the same stages; the topic `readings` is the journal."""
