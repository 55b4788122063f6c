"""The need-to-know broker: an MQTT 5 server with a blind router inside."""
