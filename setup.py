"""Find the packages: a search plus one folder under another name, which pyproject.toml cannot say.

`experiments/` stands at the top of the repository, where a reader looks for it, and is installed as
`rnnbench.experiments`. Everything else is in pyproject.toml.
"""

from setuptools import find_packages, setup

HOME = "rnnbench.experiments"

setup(
    packages=[
        *find_packages(include=["rnnbench", "rnnbench.*"]),
        HOME,
        *(f"{HOME}.{name}" for name in find_packages("experiments")),
    ],
    package_dir={HOME: "experiments"},
)
