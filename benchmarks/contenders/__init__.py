"""Different ways to do the same job: validate, claim, POST, record; and the bare POST itself."""
