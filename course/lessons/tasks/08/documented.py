bare = module_from(PUBLISHED)["lifespan"]
documented = asynccontextmanager(bare)
