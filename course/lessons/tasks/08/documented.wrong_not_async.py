from contextlib import contextmanager

bare = module_from(PUBLISHED)["lifespan"]
documented = contextmanager(bare)
