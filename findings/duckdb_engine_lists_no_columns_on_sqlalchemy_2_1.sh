#!/usr/bin/env bash
# duckdb-engine 0.17.0 (DuckDB 2.0.1) on SQLAlchemy 2.1.9: the columns of a table cannot be read; on SQLAlchemy 2.0.45 they can.
#
# Expected: sa.Table(name, sa.MetaData(), autoload_with=engine) has the columns of a table, as it has with SQLite and PostgreSQL.
# Happens: the engine takes SQLAlchemy's statement for PostgreSQL, which since 2.1 asks for pg_catalog.pg_collation. DuckDB has no
# such table, and a BinderException comes back. The table's name is listed, and rows can be read. pip installs these versions together.
# Matters to whoever finds a table by its name, such as a reader of logs: DuckDB has to be read by its own package.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet duckdb-engine==0.17.0 duckdb==2.0.1 sqlalchemy==2.1.9
"$folder/venv/bin/python" - "$folder" <<'PY'
import sys
from importlib.metadata import version

import sqlalchemy as sa

print("duckdb-engine", version("duckdb-engine"), "duckdb", version("duckdb"), "sqlalchemy", version("sqlalchemy"))
engine = sa.create_engine(f"duckdb:///{sys.argv[1]}/shop.duckdb")
with engine.begin() as connection:
    connection.exec_driver_sql("CREATE TABLE clicks (uid BIGINT, pid VARCHAR)")
print("tables", sa.inspect(engine).get_table_names())
try:
    print("columns", sa.Table("clicks", sa.MetaData(), autoload_with=engine).c.keys())
except sa.exc.DBAPIError as error:
    print(type(error.orig).__name__, str(error.orig).splitlines()[0])
    sys.exit(0 if "pg_collation" in str(error) else 1)
sys.exit(1)
PY
