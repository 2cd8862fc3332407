"""The memory: finished segments, so that no engine translates the same one twice."""
