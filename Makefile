# The habits. `make` alone lists them; each one sets up first what it needs.
.DEFAULT_GOAL := help
bin := .venv/bin
kills ?= 30
examples ?= 80
minutes ?= 60

.PHONY: help setup demo test check fmt bench figures docs chaos distributed fuzz soak ekuiper influxdb kafka postgres s3 deploy scale ci clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' Makefile

setup: ## the environment, and mosquitto where it may be installed; instant when nothing changed
	@sh tools/setup.sh

demo: setup ## the whole district on this machine, until Ctrl-C
	@$(bin)/scenewatch demo

test: setup ## every test but the long ones
	@$(bin)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

check: setup docs ## ruff, mypy, import directions, what the documents name
	@$(bin)/ruff check .
	@$(bin)/ruff format --check .
	@$(bin)/mypy
	@$(bin)/mypy tests tools
	@$(bin)/lint-imports

fmt: setup ## format, and mend what ruff can mend
	@$(bin)/ruff format .
	@$(bin)/ruff check --fix .

bench: setup ## measure, each against its floor in the same run; out/bench.json and out/bench.png
	@mkdir -p out
	@$(bin)/scenewatch bench all --json out/bench.json --plot out/bench.png

ekuiper: ## build the peer that `scenewatch bench peers` compares with (needs Go, minutes, once)
	@sh tools/ekuiper.sh

figures: ## put what `make bench` measured into the README
	@$(bin)/python -m benchmarks.figures out/bench.json README.md

docs: setup ## check that what the documents name is there
	@$(bin)/python tools/check_docs.py

chaos: setup ## kill real processes, many times: make chaos kills=100
	@SCENEWATCH_KILLS=$(kills) $(bin)/python -m pytest -m chaos

distributed: setup kafka ## every test over Kafka: kills, rebalances, weak places, the whole system; minutes
	@$(bin)/python -m pytest tests/distributed

fuzz: setup ## hunt for examples that break a law: make fuzz examples=100 (times as many as in `make test`)
	@SCENEWATCH_EXAMPLES=$(examples) $(bin)/python -m pytest -n 2 --timeout 3600 -m hypothesis

soak: setup ## a steady load for an hour, while nothing may grow: make soak minutes=600
	@SCENEWATCH_SOAK_S=$$((60 * $(minutes))) $(bin)/python -m pytest -m soak -s

kafka: ## fetch the Kafka that tests and benchmarks of the distributed runtime start (needs Java 17, once)
	@sh tools/kafka.sh

postgres: ## install PostgreSQL out of the system's packages, for the tests of the dispatch core's store
	@sh tools/postgres.sh

deploy: setup ## check deploy/ against the schemas of Kubernetes, Compose and systemd (fetched once)
	@sh tools/check_deploy.sh

scale: setup ## measure the distributed runtime and write what it means for a city into docs/scale.md (needs `make kafka`)
	@mkdir -p out
	@$(bin)/scenewatch bench scale --json out/scale.json
	@$(bin)/python -m benchmarks.scale_model out/scale.json docs/scale.md

influxdb: ## build InfluxDB 2 into .tools/, for the tests of history; 2 to 4 minutes, once
	@sh tools/influxdb.sh

s3: ## build an S3 server into .tools/, for the tests of evidence (needs Go, minutes, once)
	@sh tools/s3.sh

ci: ## exactly what CI runs
	@.ci/run

clean: ## remove what was built; the environment stays
	@rm -rf build dist out .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -not -path './.venv/*' -not -path './.tools/*' -prune -exec rm -rf {} +
