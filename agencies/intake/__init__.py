"""Intake: reads threat reports in the formats of others (STIX 2.1, MISP) into reports of our own, at the edge only."""
