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
        (), "only the routes of these modules (commas between them); all without it", env="FUNC"
    )
    routes: str = setting("routes", "the package whose ROUTES are served", env="STREAMDEX_ROUTES")
    names: Mapping[str, str] = setting(
        {}, "logical names to what exists: table/images=images-lab,bucket/in=acme-in", env="STREAMDEX_NAMES"
    )
    secrets: str = setting(
        "",
        "the path of parameters (AWS Systems Manager) that stand for variables which are not set",
        env="STREAMDEX_SECRETS",
    )

    # The search server.
    search_url: str = setting("", "the OpenSearch or Elasticsearch server", env="SEARCH_URL")
    search_auth: str = setting(
        "none", "how requests are authenticated", env="SEARCH_AUTH", choices=("none", "basic", "sigv4")
    )
    search_user: str = setting("", "the user, with search_auth=basic", env="SEARCH_USER")
    search_password: str = setting("", "the password, with search_auth=basic", env="SEARCH_PASSWORD", secret=True)
    search_service: str = setting(
        "es",
        "what SigV4 signs for: a domain (es) or a serverless collection (aoss)",
        env="SEARCH_SERVICE",
        choices=("es", "aoss"),
    )
    search_verify_certs: bool = setting(
        True, "whether the server's TLS certificate is verified", env="SEARCH_VERIFY_CERTS"
    )
    search_ca_certs: str = setting("", "a file of certificate authorities to trust", env="SEARCH_CA_CERTS")
    search_timeout: float = setting(
        10.0,
        "seconds for one request, from its first byte to the last of its answer",
        env="SEARCH_TIMEOUT",
        least=0.1,
    )
    search_compress: bool = setting(
        False, "whether request bodies are sent gzipped: less to send, for CPU time", env="SEARCH_COMPRESS"
    )
    bulk_actions: int = setting(
        1000, "actions in one bulk request, at most", env="STREAMDEX_BULK_ACTIONS", least=1
    )
    bulk_bytes: int = setting(
        5 * 1024 * 1024, "bytes of one bulk request, at most", env="STREAMDEX_BULK_BYTES", least=1024
    )
    document_bytes: int = setting(
        100 * 1024 * 1024,
        "bytes of one document, at most (a domain of OpenSearch Service takes 10 or 100 MiB)",
        env="STREAMDEX_DOCUMENT_BYTES",
        least=1024,
    )
    create_indices: bool = setting(
        True, "whether a missing index is created before its first write", env="STREAMDEX_CREATE_INDICES"
    )
    gc_deletes: str = setting(
        "1h",
        "how long a new index remembers the version of a deleted document",
        env="STREAMDEX_GC_DELETES",
    )
    undeclared_numbers: str = setting(
        "double",
        "the type of numbers that no route declares, in a new index: double, or dynamic as the server chooses",
        env="STREAMDEX_UNDECLARED_NUMBERS",
        choices=("double", "dynamic"),
    )
    index_templates: bool = setting(
        False,
        "whether `indices` keeps a template for each index, for what the server creates by itself",
        env="STREAMDEX_INDEX_TEMPLATES",
    )

    # The SQL database.
    db_url: str = setting(
        "",
        "the SQL database: mysql://…, postgresql://… or sqlite:///FILE; without it that of db_host, and without"
        " that a file under .streamdex",
        env="DB_URL",
        secret=True,
    )
    db_host: str = setting("", "the host of the MySQL or MariaDB server, without db_url", env="DB_HOST")
    db_port: int = setting(3306, "its port", env="DB_PORT", least=1, most=65535)
    db_name: str = setting("", "the database on it", env="DB_NAME")
    db_user: str = setting("", "its user", env="DB_USER")
    db_pass: str = setting("", "the user's password", env="DB_PASS", secret=True)
    db_timeout: float = setting(
        10.0,
        "seconds that the SQL database may take to be reached, and to let go of what another has locked",
        env="DB_TIMEOUT",
        least=1,
    )
    db_batch: int = setting(1000, "rows that are sent to the SQL database at once", env="DB_BATCH", least=1)

    # AWS.
    aws_endpoint_url: str = setting(
        "", "where all of AWS is (an emulator); AWS itself without it", env="AWS_ENDPOINT_URL"
    )
    aws_endpoint_url_dynamodb: str = setting("", "where DynamoDB is", env="AWS_ENDPOINT_URL_DYNAMODB")
    aws_endpoint_url_dynamodb_streams: str = setting(
        "", "where DynamoDB Streams is", env="AWS_ENDPOINT_URL_DYNAMODB_STREAMS"
    )
    aws_endpoint_url_s3: str = setting("", "where S3 is", env="AWS_ENDPOINT_URL_S3", aliases=("s3_endpoint",))
    aws_endpoint_url_sqs: str = setting("", "where SQS is", env="AWS_ENDPOINT_URL_SQS", aliases=("sqs_endpoint",))
    region: str = setting("", "the AWS region", env="AWS_DEFAULT_REGION", aliases=("aws_region",))
    aws_profile: str = setting("", "the profile of the AWS configuration", env="AWS_PROFILE")
    aws_access_key_id: str = setting("", "the AWS access key", env="AWS_ACCESS_KEY_ID", secret=True)
    aws_secret_access_key: str = setting(
        "", "the secret of the AWS access key", env="AWS_SECRET_ACCESS_KEY", secret=True
    )
    aws_session_token: str = setting(
        "", "the session token of temporary AWS credentials", env="AWS_SESSION_TOKEN", secret=True
    )

    # The embedded servers of `make run`.
    shim: str = setting(
        "embedded",
        "what they are: embedded, containers (compose.yaml), or LocalStack by its own command",
        env="SHIM",
        choices=("embedded", "docker", "localstack"),
    )
    aws_port: int = setting(4566, "the port of the AWS stand-in", env="AWS_PORT", least=1, most=65535)
    search_port: int = setting(9200, "the port of the search stand-in", env="SEARCH_PORT", least=1, most=65535)

    # The container's sources.
    read_queue: tuple[str, ...] = setting(
        (),
        "the SQS queues to read (commas between them). QUEUE carries what buckets of routes send; QUEUE=table/NAME"
        " carries stream records of that table, QUEUE=bucket/NAME notifications of a bucket; + joins several",
        env="READ_QUEUE",
    )
    task_queue: str = setting(
        "",
        "the SQS queue of backfill tasks: it is read too, and from no other queue tasks are accepted",
        env="STREAMDEX_TASK_QUEUE",
    )
    export_prefix: str = setting(
        "",
        "where backfill tasks may read files of exports: s3://BUCKET/PREFIX/; without it they read none",
        env="STREAMDEX_EXPORT_PREFIX",
    )
    read_streams: bool = setting(
        True,
        "whether the streams of the routes' tables are read; false where a queue brings what is in them",
        env="STREAMDEX_READ_STREAMS",
    )
    poll_batch_size: int = setting(
        10, "messages taken from a queue at once", env="POLL_BATCH_SIZE", least=1, most=10
    )
    poll_interval: float = setting(
        0.5, "seconds before an idle source is asked again, at most", env="POLL_INTERVAL", least=0
    )
    poll_wait: int = setting(
        2, "seconds that a queue waits for a message (long poll)", env="STREAMDEX_POLL_WAIT", least=0, most=20
    )
    stream_batch_size: int = setting(
        1000, "records taken from a shard at once", env="STREAMDEX_STREAM_BATCH_SIZE", least=1, most=1000
    )
    stream_workers: int = setting(
        4, "threads that read the shards of one table", env="STREAMDEX_STREAM_WORKERS", least=1, most=256
    )
    queue_workers: int = setting(
        2, "threads that take messages from one queue", env="STREAMDEX_QUEUE_WORKERS", least=1, most=256
    )
    start_at: str = setting(
        "TRIM_HORIZON",
        "where a shard without a checkpoint is read from",
        env="STREAMDEX_START_AT",
        choices=("TRIM_HORIZON", "LATEST"),
    )
    group: str = setting(
        "streamdex", "who reads: checkpoints of different groups do not meet", env="STREAMDEX_GROUP"
    )
    checkpoints: str = setting(
        f"{STATE}/checkpoints.sqlite",
        "where positions in streams are kept: a file, or dynamodb://TABLE",
        env="STREAMDEX_CHECKPOINTS",
    )
    on_gap: str = setting(
        "tell",
        "where a stream has lost records: only tell, or also verify and repair the table's indices",
        env="STREAMDEX_ON_GAP",
        choices=("tell", "verify"),
    )
    lease_time: float = setting(
        30.0,
        "seconds after which a stand-by takes over from a poller that is silent (with checkpoints=dynamodb://…)",
        env="STREAMDEX_LEASE_TIME",
        least=1,
    )
    hint_after: float = setting(
        1800.0,
        "seconds after which a record that came unordered is only a hint; keep it below gc_deletes",
        env="STREAMDEX_HINT_AFTER",
        least=0,
    )
    clock_skew: float = setting(
        120.0,
        "seconds that the time of a record may be in the future; beyond, its item or object is re-read",
        env="STREAMDEX_CLOCK_SKEW",
        least=1,
    )
    retry_for: float = setting(
        21_600.0,
        "seconds after which a record that fails alone, while others succeed, is kept as a dead letter",
        env="STREAMDEX_RETRY_FOR",
        least=0,
    )
    retry_time: float = setting(
        20.0,
        "seconds that a batch tries again what may succeed later, before its source delivers it again",
        env="STREAMDEX_RETRY_TIME",
        least=0,
    )
    on_halt: str = setting(
        "retry",
        "where every record would fail: retry that source alone after growing pauses, or exit with code 3",
        env="STREAMDEX_ON_HALT",
        choices=("retry", "exit"),
    )
    stall_after: float = setting(
        300.0,
        "seconds for one try of one batch after which the container counts as stuck (/healthz)",
        env="STREAMDEX_STALL_AFTER",
        least=1,
    )
    page_host: str = setting(
        "127.0.0.1", "where the service's own page is served; 0.0.0.0 in a container", env="STREAMDEX_PAGE_HOST"
    )
    page_port: int = setting(
        8080,
        "the port of the service's own page, /healthz, /readyz and /metrics; 0 for none",
        env="STREAMDEX_PAGE_PORT",
        least=0,
        most=65535,
    )
    page_token: str = setting(
        "",
        "what the page and /metrics ask for; without it they answer to this machine alone",
        env="STREAMDEX_PAGE_TOKEN",
        secret=True,
    )
    page_hosts: tuple[str, ...] = setting(
        (),
        "the names under which browsers may reach the page, beside this machine's own (commas between them)",
        env="STREAMDEX_PAGE_HOSTS",
    )
    page_redrive: bool = setting(
        False, "whether dead letters can be delivered again from the page", env="STREAMDEX_PAGE_REDRIVE"
    )
    page_records: int = setting(
        200, "the latest records that the page keeps", env="STREAMDEX_PAGE_RECORDS", least=1, most=10_000
    )
    stop_timeout: float = setting(
        3.0, "seconds that a stop waits for the batch in hand", env="STREAMDEX_STOP_TIMEOUT", least=0
    )

    # Dead letters, recordings, logs, metrics and traces.
    dead_letters: str = setting(
        f"{STATE}/dead-letters",
        "where dead letters are kept: a folder, s3://BUCKET/PREFIX or sqs://QUEUE",
        env="STREAMDEX_DEAD_LETTERS",
    )
    dead_letters_large: str = setting(
        "",
        "where dead letters go that are too large for a queue: s3://BUCKET/PREFIX; they are cut without it",
        env="STREAMDEX_DEAD_LETTERS_LARGE",
    )
    record_to: str = setting(
        "",
        "where the container records what it dispatches: a folder, or a file NAME.jsonl or NAME.jsonl.gz, which"
        " gets a number; nowhere without it",
        env="STREAMDEX_RECORD_TO",
    )
    record_bytes: int = setting(
        64 * 1024 * 1024,
        "bytes after which the container begins another file of its recording",
        env="STREAMDEX_RECORD_BYTES",
        least=1024,
    )
    record_files: int = setting(
        8, "files of its recording that the container keeps", env="STREAMDEX_RECORD_FILES", least=1
    )
    record_mask: tuple[str, ...] = setting(
        (),
        "attributes whose values no recording holds (commas between them; a.b is b in the map a)",
        env="STREAMDEX_RECORD_MASK",
    )
    log_level: str = setting(
        "INFO",
        "the least level that is logged",
        env="LOG_LEVEL",
        choices=("DEBUG", "INFO", "WARNING", "ERROR"),
    )
    log_format: str = setting(
        "auto",
        "text, json, or auto: text on a terminal and json elsewhere",
        env="LOG_FORMAT",
        choices=("auto", "text", "json"),
    )
    metrics: str = setting(
        "auto",
        "what the Lambda handler writes for CloudWatch: emf (embedded metric format), none, or auto: emf on AWS",
        env="STREAMDEX_METRICS",
        choices=("auto", "none", "emf"),
    )
    metrics_namespace: str = setting(
        "streamdex", "the CloudWatch namespace of the metrics", env="STREAMDEX_METRICS_NAMESPACE"
    )
    lambda_function: str = setting(
        "", "the name of the Lambda function, which AWS Lambda sets", env="AWS_LAMBDA_FUNCTION_NAME"
    )
    drop_repeats: bool = setting(
        False,
        "whether a Lambda drops an event of S3, SNS or EventBridge that AWS tries again after a failure: what a"
        " crash or the end of its time has cut off is then lost",
        env="STREAMDEX_DROP_REPEATS",
    )
    trace: bool = setting(
        False, "whether batches are traced with AWS X-Ray, through the daemon", env="STREAMDEX_TRACE"
    )
    trace_rate: float = setting(
        0.05,
        "the share of batches that is traced beside the first of each second (a Lambda's are AWS's to choose)",
        env="STREAMDEX_TRACE_RATE",
        least=0,
        most=1,
    )
