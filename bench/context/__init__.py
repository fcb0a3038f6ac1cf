"""How well tools are found: ranking by source, beside others' search; latency; memory."""
