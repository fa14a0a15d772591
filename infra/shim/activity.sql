-- The table of the sample: what `python -m service run` with FUNC=worker adds rows to unless insert_statement says else.
CREATE TABLE IF NOT EXISTS activity (
    person VARCHAR(100) NOT NULL,
    action VARCHAR(100) NOT NULL,
    minutes INTEGER NOT NULL
);
