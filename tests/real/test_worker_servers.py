"""The article's command, unchanged, with a real MariaDB."""

from __future__ import annotations

from databases import PASSWORD
from deployments import aws_client
from sqlalchemy import create_engine
from sqlalchemy.engine import make_url
from test_make import interrupt, ports, terminal

from infra.shim.provision import SAMPLE_TABLE
from service.clients.database import address_of
from service.settings import Settings

__all__ = ["ports"]


def test_the_worker_of_the_article_fills_a_table_of_mysql(ports, mariadb_url):
    url = make_url(mariadb_url)
    aws = f"http://127.0.0.1:{ports['AWS_PORT']}"
    engine = create_engine(address_of(Settings(db_url=mariadb_url)))
    with engine.begin() as connection:
        connection.exec_driver_sql(SAMPLE_TABLE.read_text())
    options = (
        f"--read_queue=pending-worker --sqs_endpoint={aws} --s3_endpoint={aws} --db_host={url.host}"
        f" --db_port={url.port} --db_name={url.database} --db_user={url.username} --db_pass={url.password}"
    )
    with terminal("make shim") as shim:
        with terminal(f"make run FUNC=worker RUN_ARGS=' \\\n{options} \\\n'") as process:
            assert PASSWORD not in process.before
            aws_client(aws, "s3").upload_file("tests/data/activity.csv", "raw-data", "large.csv")
            sqs = aws_client(aws, "sqs")
            queue = sqs.get_queue_url(QueueName="pending-worker")["QueueUrl"]
            for _ in range(3):
                sqs.send_message(QueueUrl=queue, MessageBody='{"bucket": "raw-data", "key": "large.csv"}')
            for _ in range(2):
                process.expect(r"batch dispatched .*applied=")
            assert PASSWORD not in interrupt(process)
        interrupt(shim)
    with engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT * FROM activity ORDER BY minutes").all()
    engine.dispose()
    assert [tuple(row) for row in rows] == [
        ("Zoë", "walking", 20),
        ("Ada", "reading", 30),
        ("Grace", "writing", 45),
    ]
