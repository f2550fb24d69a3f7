"""The language of OpenNebula's templates."""
