"""Results as typed records: what results.json, the manifest and the evaluation of a monitor hold. Computes nothing."""
