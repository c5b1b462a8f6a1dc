"""Addresses of the local database servers, for tests that create their own databases."""

from __future__ import annotations

POSTGRESQL = "postgres://postgres@127.0.0.1:5432"
MARIADB = "mysql://root@127.0.0.1:3306"


def execute(server: str, statement: str) -> None:
    """Run a statement such as ``CREATE DATABASE …`` on a server."""
    if server == POSTGRESQL:
        import psycopg

        with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
            connection.execute(
                f"{statement} WITH (FORCE)" if statement.startswith("DROP DATABASE") else statement
            )
    else:
        import pymysql

        with (
            pymysql.connect(host="127.0.0.1", user="root") as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)
