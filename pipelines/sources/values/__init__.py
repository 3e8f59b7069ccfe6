"""Values as people and programs write them, read alike by every engine; null where unreadable."""
