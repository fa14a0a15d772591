# Each bucket notifies its topic, which sends to one queue for each module of routes. An EventBridge Pipe sends the changes
# of a piped table to a queue of its own. Backfill tasks have a queue as well. Each queue accepts messages only from these
# senders and from operators (docs/security.md).

locals {
  announcing = { for bucket, what in var.buckets : bucket => what if !contains(keys(var.existing_topics), bucket) }
  topics     = merge({ for bucket, topic in aws_sns_topic.uploads : bucket => topic.arn }, var.existing_topics)
  queues     = { for name, what in var.queues : name => what if !contains(keys(var.existing_queues), name) }

  subscriptions = merge([
    for name, what in local.queues : { for bucket in what.buckets : "${name}/${bucket}" => { queue = name, bucket = bucket } }
  ]...)

  made = merge(
    { for name, what in local.queues : name => { topics = [for bucket in what.buckets : local.topics[bucket]], senders = [] } },
    { for name, stream in local.piped : name => { topics = [], senders = [aws_iam_role.pipe[name].arn] } },
    { for name in var.task_queue ? ["tasks"] : [] : name => { topics = [], senders = local.workers } },
  )

  # The roles of this deployment's functions and containers, which enqueue the rest of a backfill task again.
  workers = [for name in [local.prefix, "${local.prefix}-*"] : "arn:${local.partition}:iam::${local.account}:role/${name}"]

  piped = { for table, stream in var.streams : "changes-${table}" => stream if contains(var.piped_tables, table) }
}

# S3 cannot publish to a topic that uses the AWS managed key for SNS. Without your own key, messages are therefore encrypted
# only on the disks of SNS ("Data encryption", SNS Developer Guide). They hold names of buckets and keys, and no content.
resource "aws_sns_topic" "uploads" {
  for_each          = local.announcing
  name              = "${local.prefix}-${each.key}"
  kms_master_key_id = var.kms_key_arn
}

resource "aws_sns_topic_policy" "uploads" {
  for_each = aws_sns_topic.uploads
  arn      = each.value.arn

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "FromItsBucket"
        Effect    = "Allow"
        Principal = { Service = "s3.amazonaws.com" }
        Action    = "sns:Publish"
        Resource  = each.value.arn
        Condition = {
          ArnEquals    = { "aws:SourceArn" = var.buckets[each.key].arn }
          StringEquals = { "aws:SourceAccount" = local.account }
        }
      },
      {
        Sid       = "OnlyTls"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sns:Publish"
        Resource  = each.value.arn
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
    ]
  })
}

resource "aws_s3_bucket_notification" "uploads" {
  for_each   = var.direct ? {} : local.announcing
  bucket     = each.value.name
  depends_on = [aws_sns_topic_policy.uploads]

  topic {
    topic_arn     = aws_sns_topic.uploads[each.key].arn
    events        = each.value.events
    filter_prefix = each.value.prefix
    filter_suffix = each.value.suffix
  }
}

module "queue" {
  for_each           = local.made
  source             = "../modules/queue"
  name               = "${local.prefix}-${each.key}"
  topics             = each.value.topics
  senders            = concat(var.operators, each.value.senders)
  kms_key_arn        = var.kms_key_arn
  visibility_timeout = var.visibility_timeout
  max_receive_count  = var.max_receive_count
  age_alarm          = var.age_alarm
  alarm_actions      = var.alarm_actions
}

data "aws_sqs_queue" "existing" {
  for_each = var.existing_queues
  name     = each.value
}

resource "aws_sns_topic_subscription" "queue" {
  for_each             = local.subscriptions
  topic_arn            = local.topics[each.value.bucket]
  protocol             = "sqs"
  endpoint             = module.queue[each.value.queue].queue.arn
  raw_message_delivery = true
}

resource "aws_iam_role" "pipe" {
  for_each = local.piped
  name     = "${local.prefix}-pipe-${each.key}"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "pipes.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
    }]
  })
}

resource "aws_iam_role_policy" "pipe" {
  for_each = local.piped
  name     = "pipe"
  role     = aws_iam_role.pipe[each.key].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        {
          Sid      = "ReadStream"
          Effect   = "Allow"
          Action   = ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"]
          Resource = each.value.arn
        },
        {
          Sid      = "ListStreams" # has no resource-level permissions
          Effect   = "Allow"
          Action   = "dynamodb:ListStreams"
          Resource = "*"
        },
        {
          Sid      = "Send"
          Effect   = "Allow"
          Action   = "sqs:SendMessage"
          Resource = [module.queue[each.key].queue.arn, module.queue[each.key].queue.dead_arn]
        },
      ],
      [for key in var.kms_key_arn == null ? [] : [var.kms_key_arn] : {
        Sid      = "UseKey"
        Effect   = "Allow"
        Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource = key
      }],
    )
  })
}

resource "aws_pipes_pipe" "changes" {
  for_each   = local.piped
  name       = "${local.prefix}-${each.key}"
  role_arn   = aws_iam_role.pipe[each.key].arn
  source     = each.value.arn
  target     = module.queue[each.key].queue.arn
  depends_on = [aws_iam_role_policy.pipe]

  source_parameters {
    dynamodb_stream_parameters {
      starting_position                  = "TRIM_HORIZON"
      batch_size                         = 10 # the maximum of one SQS request
      parallelization_factor             = var.pipe_parallelization
      on_partial_batch_item_failure      = "AUTOMATIC_BISECT"
      maximum_record_age_in_seconds      = 82800
      maximum_retry_attempts             = 10000
      maximum_batching_window_in_seconds = 1

      dead_letter_config {
        arn = module.queue[each.key].queue.dead_arn
      }
    }

    dynamic "filter_criteria" {
      for_each = length(each.value.filters) == 0 ? [] : [each.value.filters]

      content {
        dynamic "filter" {
          for_each = filter_criteria.value

          content {
            pattern = filter.value
          }
        }
      }
    }
  }
}
