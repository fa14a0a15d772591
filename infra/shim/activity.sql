-- The sample table. `python -m service run` with FUNC=worker adds rows to it, unless insert_statement names another.
CREATE TABLE IF NOT EXISTS activity (
    person VARCHAR(100) NOT NULL,
    action VARCHAR(100) NOT NULL,
    minutes INTEGER NOT NULL
);
