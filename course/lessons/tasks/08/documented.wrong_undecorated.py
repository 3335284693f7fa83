bare = module_from(PUBLISHED)["lifespan"]
documented = bare
