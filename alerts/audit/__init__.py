"""The auditor: compares what must agree, and says where it does not."""
