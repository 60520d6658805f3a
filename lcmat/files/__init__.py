"""Where bytes lie: the folders of the project, atomic writing, hashed checkpoints, packages of extras."""
