"""The service's own settings, each declared once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from ..private_files import STATE
from .declaration import setting

own = partial(setting, env="STREAMDEX_*")
"""A setting whose variable begins with STREAMDEX_. The others keep names that AWS or other programs use."""


@dataclass(frozen=True)
class Settings:
    """The service's own settings. Route classes declare further settings."""

    # Routes and names.
    func: tuple[str, ...] = setting((), "serve only the routes of these modules (comma-separated); empty for all")
    routes: str = own("routes", "the package that contains the modules with ROUTES")
    names: Mapping[str, str] = own({}, "actual names by logical name: table/images=images-lab,bucket/in=acme-in")
    secrets: str = own("", "the path of AWS Systems Manager parameters that supply variables which are not set")

    # The search server.
    search_url: str = setting("", "the URL of the OpenSearch or Elasticsearch server")
    search_auth: str = setting(
        "none", "the authentication of requests to the search server", choices=("none", "basic", "sigv4")
    )
    search_user: str = setting("", "the user name for search_auth=basic")
    search_password: str = setting("", "the password for search_auth=basic", secret=True)
    search_service: str = setting(
        "es",
        "the service name for SigV4: es for a domain, aoss for a serverless collection",
        choices=("es", "aoss"),
    )
    search_verify_certs: bool = setting(True, "verify the TLS certificate of the search server")
    search_ca_certs: str = setting("", "a file of certificate authorities to trust for the search server")
    search_timeout: float = setting(
        10.0,
        "timeout in seconds of one request to the search server, from its first byte to the last of its response",
        least=0.1,
    )
    search_compress: bool = setting(False, "compress request bodies with gzip: fewer bytes, more CPU time")
    bulk_actions: int = own(1000, "maximum number of actions in one bulk request", least=1)
    bulk_bytes: int = own(5 * 1024 * 1024, "maximum size of one bulk request in bytes", least=1024)
    document_bytes: int = own(
        100 * 1024 * 1024,
        "maximum size of one document in bytes (a domain of OpenSearch Service accepts 10 or 100 MiB)",
        least=1024,
    )
    create_indices: bool = own(True, "create a missing index before its first write")
    gc_deletes: str = own(
        "1h", "how long a new index remembers the version of a deleted document (index.gc_deletes)"
    )
    max_indices: int = own(
        200,
        "maximum number of indices of one index pattern up to which the service creates missing ones; records for"
        " further ones become dead letters",
        least=0,
    )
    undeclared_numbers: str = own(
        "double",
        "the type of undeclared numbers in a new index: double, or dynamic (the server chooses)",
        choices=("double", "dynamic"),
    )
    index_templates: bool = own(
        False, "let `indices` maintain a template for each index, for indices that the server creates by itself"
    )

    # The SQL database.
    db_url: str = setting(
        "",
        "the URL of the SQL database: mysql://…, postgresql://… or sqlite:///FILE. If it is empty, the server of"
        " db_host is used; if that is empty too, a file under .streamdex",
        secret=True,
    )
    db_host: str = setting("", "the host of the MySQL or MariaDB server, if db_url is empty")
    db_port: int = setting(3306, "the port of db_host", least=1, most=65535)
    db_name: str = setting("", "the name of the database on db_host")
    db_user: str = setting("", "the user name for db_host")
    db_pass: str = setting("", "the password for db_host", secret=True)
    db_timeout: float = setting(
        10.0, "timeout in seconds for connecting to the SQL database, and for waiting for a lock in it", least=1
    )
    db_batch: int = setting(1000, "maximum number of rows in one request to the SQL database", least=1)

    # AWS.
    aws_endpoint_url: str = setting("", "the endpoint URL of all AWS services (an emulator); empty for AWS itself")
    aws_endpoint_url_dynamodb: str = setting("", "the endpoint URL of DynamoDB")
    aws_endpoint_url_dynamodb_streams: str = setting("", "the endpoint URL of DynamoDB Streams")
    aws_endpoint_url_s3: str = setting("", "the endpoint URL of S3", aliases=("s3_endpoint",))
    aws_endpoint_url_sqs: str = setting("", "the endpoint URL of SQS", aliases=("sqs_endpoint",))
    region: str = setting("", "the AWS region", env="AWS_DEFAULT_REGION", aliases=("aws_region",))
    aws_profile: str = setting("", "the profile in the AWS configuration files")
    aws_access_key_id: str = setting("", "the AWS access key ID", secret=True)
    aws_secret_access_key: str = setting("", "the AWS secret access key", secret=True)
    aws_session_token: str = setting("", "the session token of temporary AWS credentials", secret=True)

    # The embedded servers of `make run`.
    shim: str = setting(
        "embedded",
        "the servers of `make run`: embedded, docker (containers of compose.yaml), or localstack (started by its"
        " own command)",
        choices=("embedded", "docker", "localstack"),
    )
    aws_port: int = setting(4566, "the port of the embedded AWS server", least=1, most=65535)
    search_port: int = setting(9200, "the port of the embedded search server", least=1, most=65535)

    # The container's sources.
    read_queue: tuple[str, ...] = setting(
        (),
        "the SQS queues to read (comma-separated). QUEUE carries notifications of the routes' buckets,"
        " QUEUE=table/NAME stream records of that table, QUEUE=bucket/NAME notifications of that bucket; + joins"
        " several",
    )
    task_queue: str = own(
        "", "the SQS queue of backfill and reindex tasks; it is read too, and tasks from other queues are refused"
    )
    export_prefix: str = own(
        "", "the S3 prefix from which backfill tasks may read export files: s3://BUCKET/PREFIX/; empty for none"
    )
    read_streams: bool = own(
        True, "read the streams of the routes' tables; false if a queue carries their stream records"
    )
    poll_batch_size: int = setting(
        10, "maximum number of messages received from a queue at once", least=1, most=10
    )
    poll_interval: float = setting(
        0.5, "maximum idle delay in seconds before an empty source is polled again", least=0
    )
    poll_wait: int = own(2, "long-polling wait for messages of a queue in seconds", least=0, most=20)
    stream_batch_size: int = own(1000, "maximum number of records read from a shard at once", least=1, most=1000)
    stream_workers: int = own(4, "number of threads that read the shards of one table", least=1, most=256)
    queue_workers: int = own(2, "number of threads that receive messages from one queue", least=1, most=256)
    start_at: str = own(
        "TRIM_HORIZON",
        "the position from which a shard without a checkpoint is read",
        choices=("TRIM_HORIZON", "LATEST"),
    )
    group: str = own("streamdex", "the name of the consumer group; each group has its own checkpoints")
    checkpoints: str = own(
        f"{STATE}/checkpoints.sqlite", "the store of stream checkpoints: a file, or dynamodb://TABLE"
    )
    on_gap: str = own(
        "tell",
        "the action after a gap in a stream: tell (only report it), or verify (also verify and repair the table's"
        " indices)",
        choices=("tell", "verify"),
    )
    lease_time: float = own(
        30.0,
        "seconds without a sign of life after which a standby takes over the lease (with checkpoints=dynamodb://…)",
        least=1,
    )
    hint_after: float = own(
        1800.0, "age in seconds above which an unordered record is re-read; keep it below gc_deletes", least=0
    )
    collection_items: int = own(
        1000,
        "maximum items of the collection of one document; the records of a larger one are moved to dead letters",
        least=1,
    )
    reindex_inline: int = own(
        1000, "maximum documents that one record makes again by itself; the rest goes to task_queue", least=1
    )
    index_lag: float = own(
        2.0,
        "seconds after which a change is visible in a secondary index; a route's query of one waits so long",
        least=0,
    )
    clock_skew: float = own(
        120.0,
        "seconds that the time of a record may be in the future; with a later time, its item or object is re-read",
        least=1,
    )
    retry_for: float = own(
        21_600.0,
        "seconds after which a record that keeps failing while others succeed is moved to dead letters",
        least=0,
    )
    retry_time: float = own(
        20.0,
        "seconds for which a batch retries transient failures before its source redelivers the records",
        least=0,
    )
    on_halt: str = own(
        "retry",
        "the action if every record would fail: retry (retry that source with a growing backoff), or exit (exit"
        " code 3)",
        choices=("retry", "exit"),
    )
    stall_after: float = own(
        300.0,
        "duration in seconds of one attempt at a batch above which /healthz reports the container as stuck",
        least=1,
    )
    page_host: str = own("127.0.0.1", "the address on which the service's page listens; 0.0.0.0 in a container")
    page_port: int = own(
        8080, "the port of the service's page, /healthz, /readyz and /metrics; 0 for none", least=0, most=65535
    )
    page_token: str = own(
        "",
        "the token that the page and /metrics require; without it they answer only requests from this machine",
        secret=True,
    )
    page_hosts: tuple[str, ...] = own(
        (), "host names under which browsers may reach the page, besides those of this machine (comma-separated)"
    )
    page_redrive: bool = own(False, "allow redrives of dead letters from the page")
    page_records: int = own(200, "number of recent records that the page keeps", least=1, most=10_000)
    stop_timeout: float = own(3.0, "seconds that a stop waits for the current batches", least=0)

    # Dead letters, recordings, logs, metrics and traces.
    dead_letters: str = own(
        f"{STATE}/dead-letters", "the store of dead letters: a folder, s3://BUCKET/PREFIX or sqs://QUEUE"
    )
    dead_letters_large: str = own(
        "",
        "the store of dead letters that are too large for a queue: s3://BUCKET/PREFIX; without it they are"
        " truncated",
    )
    record_to: str = own(
        "",
        "the recording of dispatched records by the container: a folder, or a file NAME.jsonl or NAME.jsonl.gz"
        " whose name gets a number; empty for no recording",
    )
    record_bytes: int = own(
        64 * 1024 * 1024, "bytes after which the container starts the next file of its recording", least=1024
    )
    record_files: int = own(8, "maximum number of files of its recording that the container keeps", least=1)
    record_mask: tuple[str, ...] = own(
        (), "attributes whose values are masked in recordings (comma-separated; a.b is b in the map a)"
    )
    log_level: str = setting(
        "INFO", "the lowest level that is logged", choices=("DEBUG", "INFO", "WARNING", "ERROR")
    )
    log_format: str = setting(
        "auto",
        "the format of log lines: text, json, or auto (text on a terminal, json elsewhere)",
        choices=("auto", "text", "json"),
    )
    metrics: str = own(
        "auto",
        "metrics that the Lambda handler writes for CloudWatch: emf (embedded metric format), none, or auto (emf"
        " on AWS)",
        choices=("auto", "none", "emf"),
    )
    metrics_namespace: str = own("streamdex", "the CloudWatch namespace of the metrics")
    lambda_function: str = setting(
        "", "the name of the Lambda function; AWS Lambda sets it", env="AWS_LAMBDA_FUNCTION_NAME"
    )
    drop_repeats: bool = own(
        False,
        "drop events of S3, SNS and EventBridge that AWS retries after a failure of the Lambda function; records"
        " that a crash or a timeout left unfinished are then lost",
    )
    trace: bool = own(False, "trace batches with AWS X-Ray, through its daemon")
    trace_rate: float = own(
        0.05,
        "the share of batches to trace, besides the first of each second (0 to 1; for a Lambda, AWS decides)",
        least=0,
        most=1,
    )
