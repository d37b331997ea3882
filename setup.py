"""What pyproject.toml cannot say: the packages that are found, and those that are mapped.

Users import `channelmaps`, which is the one file of pipeline/api. What the program reads besides its own
modules goes into a wheel as data packages below pipeline.shipped, at the paths of the checkout.
"""

from setuptools import find_packages, setup

SHIPPED = (
    "configs",
    "configs/examples",
    "configs/tables",
    "configs/tables/link_modes",
    "configs/tables/link_templates",
    "configs/tables/rule_packs",
    "data",
    "data/examples",
    "data/slovenia",
    "envs",
    "plugins/qgis/channelmaps",
    "profiles/local",
    "profiles/slurm",
    "rules",
)
MAPPED = {"channelmaps": "pipeline/api"} | {
    f"pipeline.shipped.{folder.replace('/', '.')}": folder for folder in SHIPPED
}
DATA = ["*.yaml", "*.json", "*.csv", "*.gpkg", "*.tif", "*.vrt", "*.geojson", "*.smk", "*.md", "*.txt"]

setup(
    packages=[*find_packages(include=["pipeline", "pipeline.*"], exclude=["pipeline.api"]), *MAPPED],
    package_dir=MAPPED,
    package_data={
        "pipeline": [
            "**/*.npz",
            "**/*.txt",
            "**/*.jinja",
            "publish/web/bundle/*",
            "publish/web/texts/*.yaml",
        ],
        **{package: DATA for package in MAPPED if package.startswith("pipeline.shipped.")},
    },
)
