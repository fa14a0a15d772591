"""The service's own settings, each declared once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..private_files import STATE
from .declaration import setting


@dataclass(frozen=True)
class Settings:
    """The service's own settings. Route classes declare further settings."""

    # Routes and names.
    func: tuple[str, ...] = setting(
        (), "serve only the routes of these modules (comma-separated); empty for all", env="FUNC"
    )
    routes: str = setting("routes", "the package that contains the modules with ROUTES", env="STREAMDEX_ROUTES")
    names: Mapping[str, str] = setting(
        {}, "actual names by logical name: table/images=images-lab,bucket/in=acme-in", env="STREAMDEX_NAMES"
    )
    secrets: str = setting(
        "",
        "the path of AWS Systems Manager parameters that supply variables which are not set",
        env="STREAMDEX_SECRETS",
    )

    # The search server.
    search_url: str = setting("", "the URL of the OpenSearch or Elasticsearch server", env="SEARCH_URL")
    search_auth: str = setting(
        "none",
        "the authentication of requests to the search server",
        env="SEARCH_AUTH",
        choices=("none", "basic", "sigv4"),
    )
    search_user: str = setting("", "the user name for search_auth=basic", env="SEARCH_USER")
    search_password: str = setting("", "the password for search_auth=basic", env="SEARCH_PASSWORD", secret=True)
    search_service: str = setting(
        "es",
        "the service name for SigV4: es for a domain, aoss for a serverless collection",
        env="SEARCH_SERVICE",
        choices=("es", "aoss"),
    )
    search_verify_certs: bool = setting(
        True, "verify the TLS certificate of the search server", env="SEARCH_VERIFY_CERTS"
    )
    search_ca_certs: str = setting(
        "", "a file of certificate authorities to trust for the search server", env="SEARCH_CA_CERTS"
    )
    search_timeout: float = setting(
        10.0,
        "timeout in seconds of one request to the search server, from its first byte to the last of its response",
        env="SEARCH_TIMEOUT",
        least=0.1,
    )
    search_compress: bool = setting(
        False, "compress request bodies with gzip: fewer bytes, more CPU time", env="SEARCH_COMPRESS"
    )
    bulk_actions: int = setting(
        1000, "maximum number of actions in one bulk request", env="STREAMDEX_BULK_ACTIONS", least=1
    )
    bulk_bytes: int = setting(
        5 * 1024 * 1024, "maximum size of one bulk request in bytes", env="STREAMDEX_BULK_BYTES", least=1024
    )
    document_bytes: int = setting(
        100 * 1024 * 1024,
        "maximum size of one document in bytes (a domain of OpenSearch Service accepts 10 or 100 MiB)",
        env="STREAMDEX_DOCUMENT_BYTES",
        least=1024,
    )
    create_indices: bool = setting(
        True, "create a missing index before its first write", env="STREAMDEX_CREATE_INDICES"
    )
    gc_deletes: str = setting(
        "1h",
        "how long a new index remembers the version of a deleted document (index.gc_deletes)",
        env="STREAMDEX_GC_DELETES",
    )
    undeclared_numbers: str = setting(
        "double",
        "the type of undeclared numbers in a new index: double, or dynamic (the server chooses)",
        env="STREAMDEX_UNDECLARED_NUMBERS",
        choices=("double", "dynamic"),
    )
    index_templates: bool = setting(
        False,
        "let `indices` maintain a template for each index, for indices that the server creates by itself",
        env="STREAMDEX_INDEX_TEMPLATES",
    )

    # The SQL database.
    db_url: str = setting(
        "",
        "the URL of the SQL database: mysql://…, postgresql://… or sqlite:///FILE. If it is empty, the server of"
        " db_host is used; if that is empty too, a file under .streamdex",
        env="DB_URL",
        secret=True,
    )
    db_host: str = setting("", "the host of the MySQL or MariaDB server, if db_url is empty", env="DB_HOST")
    db_port: int = setting(3306, "the port of db_host", env="DB_PORT", least=1, most=65535)
    db_name: str = setting("", "the name of the database on db_host", env="DB_NAME")
    db_user: str = setting("", "the user name for db_host", env="DB_USER")
    db_pass: str = setting("", "the password for db_host", env="DB_PASS", secret=True)
    db_timeout: float = setting(
        10.0,
        "timeout in seconds for connecting to the SQL database, and for waiting for a lock in it",
        env="DB_TIMEOUT",
        least=1,
    )
    db_batch: int = setting(
        1000, "maximum number of rows in one request to the SQL database", env="DB_BATCH", least=1
    )

    # AWS.
    aws_endpoint_url: str = setting(
        "", "the endpoint URL of all AWS services (an emulator); empty for AWS itself", env="AWS_ENDPOINT_URL"
    )
    aws_endpoint_url_dynamodb: str = setting("", "the endpoint URL of DynamoDB", env="AWS_ENDPOINT_URL_DYNAMODB")
    aws_endpoint_url_dynamodb_streams: str = setting(
        "", "the endpoint URL of DynamoDB Streams", env="AWS_ENDPOINT_URL_DYNAMODB_STREAMS"
    )
    aws_endpoint_url_s3: str = setting(
        "", "the endpoint URL of S3", env="AWS_ENDPOINT_URL_S3", aliases=("s3_endpoint",)
    )
    aws_endpoint_url_sqs: str = setting(
        "", "the endpoint URL of SQS", env="AWS_ENDPOINT_URL_SQS", aliases=("sqs_endpoint",)
    )
    region: str = setting("", "the AWS region", env="AWS_DEFAULT_REGION", aliases=("aws_region",))
    aws_profile: str = setting("", "the profile in the AWS configuration files", env="AWS_PROFILE")
    aws_access_key_id: str = setting("", "the AWS access key ID", env="AWS_ACCESS_KEY_ID", secret=True)
    aws_secret_access_key: str = setting("", "the AWS secret access key", env="AWS_SECRET_ACCESS_KEY", secret=True)
    aws_session_token: str = setting(
        "", "the session token of temporary AWS credentials", env="AWS_SESSION_TOKEN", secret=True
    )

    # The embedded servers of `make run`.
    shim: str = setting(
        "embedded",
        "the servers of `make run`: embedded, docker (containers of compose.yaml), or localstack (started by its"
        " own command)",
        env="SHIM",
        choices=("embedded", "docker", "localstack"),
    )
    aws_port: int = setting(4566, "the port of the embedded AWS server", env="AWS_PORT", least=1, most=65535)
    search_port: int = setting(
        9200, "the port of the embedded search server", env="SEARCH_PORT", least=1, most=65535
    )

    # The container's sources.
    read_queue: tuple[str, ...] = setting(
        (),
        "the SQS queues to read (comma-separated). QUEUE carries notifications of the routes' buckets,"
        " QUEUE=table/NAME stream records of that table, QUEUE=bucket/NAME notifications of that bucket; + joins"
        " several",
        env="READ_QUEUE",
    )
    task_queue: str = setting(
        "",
        "the SQS queue of backfill tasks; it is read too, and tasks from other queues are refused",
        env="STREAMDEX_TASK_QUEUE",
    )
    export_prefix: str = setting(
        "",
        "the S3 prefix from which backfill tasks may read export files: s3://BUCKET/PREFIX/; empty for none",
        env="STREAMDEX_EXPORT_PREFIX",
    )
    read_streams: bool = setting(
        True,
        "read the streams of the routes' tables; false if a queue carries their stream records",
        env="STREAMDEX_READ_STREAMS",
    )
    poll_batch_size: int = setting(
        10, "maximum number of messages received from a queue at once", env="POLL_BATCH_SIZE", least=1, most=10
    )
    poll_interval: float = setting(
        0.5, "maximum idle delay in seconds before an empty source is polled again", env="POLL_INTERVAL", least=0
    )
    poll_wait: int = setting(
        2, "long-polling wait for messages of a queue in seconds", env="STREAMDEX_POLL_WAIT", least=0, most=20
    )
    stream_batch_size: int = setting(
        1000,
        "maximum number of records read from a shard at once",
        env="STREAMDEX_STREAM_BATCH_SIZE",
        least=1,
        most=1000,
    )
    stream_workers: int = setting(
        4, "number of threads that read the shards of one table", env="STREAMDEX_STREAM_WORKERS", least=1, most=256
    )
    queue_workers: int = setting(
        2,
        "number of threads that receive messages from one queue",
        env="STREAMDEX_QUEUE_WORKERS",
        least=1,
        most=256,
    )
    start_at: str = setting(
        "TRIM_HORIZON",
        "the position from which a shard without a checkpoint is read",
        env="STREAMDEX_START_AT",
        choices=("TRIM_HORIZON", "LATEST"),
    )
    group: str = setting(
        "streamdex", "the name of the consumer group; each group has its own checkpoints", env="STREAMDEX_GROUP"
    )
    checkpoints: str = setting(
        f"{STATE}/checkpoints.sqlite",
        "the store of stream checkpoints: a file, or dynamodb://TABLE",
        env="STREAMDEX_CHECKPOINTS",
    )
    on_gap: str = setting(
        "tell",
        "the action after a gap in a stream: tell (only report it), or verify (also verify and repair the table's"
        " indices)",
        env="STREAMDEX_ON_GAP",
        choices=("tell", "verify"),
    )
    lease_time: float = setting(
        30.0,
        "seconds without a sign of life after which a standby takes over the lease (with checkpoints=dynamodb://…)",
        env="STREAMDEX_LEASE_TIME",
        least=1,
    )
    hint_after: float = setting(
        1800.0,
        "age in seconds above which an unordered record is re-read; keep it below gc_deletes",
        env="STREAMDEX_HINT_AFTER",
        least=0,
    )
    clock_skew: float = setting(
        120.0,
        "seconds that the time of a record may be in the future; with a later time, its item or object is re-read",
        env="STREAMDEX_CLOCK_SKEW",
        least=1,
    )
    retry_for: float = setting(
        21_600.0,
        "seconds after which a record that keeps failing while others succeed is moved to dead letters",
        env="STREAMDEX_RETRY_FOR",
        least=0,
    )
    retry_time: float = setting(
        20.0,
        "seconds for which a batch retries transient failures before its source redelivers the records",
        env="STREAMDEX_RETRY_TIME",
        least=0,
    )
    on_halt: str = setting(
        "retry",
        "the action if every record would fail: retry (retry that source with a growing backoff), or exit (exit"
        " code 3)",
        env="STREAMDEX_ON_HALT",
        choices=("retry", "exit"),
    )
    stall_after: float = setting(
        300.0,
        "duration in seconds of one attempt at a batch above which /healthz reports the container as stuck",
        env="STREAMDEX_STALL_AFTER",
        least=1,
    )
    page_host: str = setting(
        "127.0.0.1",
        "the address on which the service's page listens; 0.0.0.0 in a container",
        env="STREAMDEX_PAGE_HOST",
    )
    page_port: int = setting(
        8080,
        "the port of the service's page, /healthz, /readyz and /metrics; 0 for none",
        env="STREAMDEX_PAGE_PORT",
        least=0,
        most=65535,
    )
    page_token: str = setting(
        "",
        "the token that the page and /metrics require; without it they answer only requests from this machine",
        env="STREAMDEX_PAGE_TOKEN",
        secret=True,
    )
    page_hosts: tuple[str, ...] = setting(
        (),
        "host names under which browsers may reach the page, besides those of this machine (comma-separated)",
        env="STREAMDEX_PAGE_HOSTS",
    )
    page_redrive: bool = setting(
        False, "allow redrives of dead letters from the page", env="STREAMDEX_PAGE_REDRIVE"
    )
    page_records: int = setting(
        200, "number of recent records that the page keeps", env="STREAMDEX_PAGE_RECORDS", least=1, most=10_000
    )
    stop_timeout: float = setting(
        3.0, "seconds that a stop waits for the current batches", env="STREAMDEX_STOP_TIMEOUT", least=0
    )

    # Dead letters, recordings, logs, metrics and traces.
    dead_letters: str = setting(
        f"{STATE}/dead-letters",
        "the store of dead letters: a folder, s3://BUCKET/PREFIX or sqs://QUEUE",
        env="STREAMDEX_DEAD_LETTERS",
    )
    dead_letters_large: str = setting(
        "",
        "the store of dead letters that are too large for a queue: s3://BUCKET/PREFIX; without it they are"
        " truncated",
        env="STREAMDEX_DEAD_LETTERS_LARGE",
    )
    record_to: str = setting(
        "",
        "the recording of dispatched records by the container: a folder, or a file NAME.jsonl or NAME.jsonl.gz"
        " whose name gets a number; empty for no recording",
        env="STREAMDEX_RECORD_TO",
    )
    record_bytes: int = setting(
        64 * 1024 * 1024,
        "bytes after which the container starts the next file of its recording",
        env="STREAMDEX_RECORD_BYTES",
        least=1024,
    )
    record_files: int = setting(
        8,
        "maximum number of files of its recording that the container keeps",
        env="STREAMDEX_RECORD_FILES",
        least=1,
    )
    record_mask: tuple[str, ...] = setting(
        (),
        "attributes whose values are masked in recordings (comma-separated; a.b is b in the map a)",
        env="STREAMDEX_RECORD_MASK",
    )
    log_level: str = setting(
        "INFO",
        "the lowest level that is logged",
        env="LOG_LEVEL",
        choices=("DEBUG", "INFO", "WARNING", "ERROR"),
    )
    log_format: str = setting(
        "auto",
        "the format of log lines: text, json, or auto (text on a terminal, json elsewhere)",
        env="LOG_FORMAT",
        choices=("auto", "text", "json"),
    )
    metrics: str = setting(
        "auto",
        "metrics that the Lambda handler writes for CloudWatch: emf (embedded metric format), none, or auto (emf"
        " on AWS)",
        env="STREAMDEX_METRICS",
        choices=("auto", "none", "emf"),
    )
    metrics_namespace: str = setting(
        "streamdex", "the CloudWatch namespace of the metrics", env="STREAMDEX_METRICS_NAMESPACE"
    )
    lambda_function: str = setting(
        "", "the name of the Lambda function; AWS Lambda sets it", env="AWS_LAMBDA_FUNCTION_NAME"
    )
    drop_repeats: bool = setting(
        False,
        "drop events of S3, SNS and EventBridge that AWS retries after a failure of the Lambda function; records"
        " that a crash or a timeout left unfinished are then lost",
        env="STREAMDEX_DROP_REPEATS",
    )
    trace: bool = setting(False, "trace batches with AWS X-Ray, through its daemon", env="STREAMDEX_TRACE")
    trace_rate: float = setting(
        0.05,
        "the share of batches to trace, besides the first of each second (0 to 1; for a Lambda, AWS decides)",
        env="STREAMDEX_TRACE_RATE",
        least=0,
        most=1,
    )
