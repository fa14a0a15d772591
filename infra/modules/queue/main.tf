# A queue with its dead-letter queue and alarms. Both queues are encrypted and accept only TLS.

variable "name" {
  description = "The name of the queue. The name of its dead-letter queue ends with -dead."
  type        = string
}

variable "topics" {
  description = "The ARNs of the SNS topics that can send to the queue."
  type        = list(string)
  default     = []
}

variable "senders" {
  description = "The ARNs of the roles that can send to the queue, in addition to the topics; * is a wildcard."
  type        = list(string)
  default     = []
}

variable "kms_key_arn" {
  description = "The ARN of your own KMS key (default: a key of SQS)."
  type        = string
  default     = null
}

variable "visibility_timeout" {
  description = "Seconds until a message that was not deleted is redelivered: six times the timeout of the function."
  type        = number
}

variable "max_receive_count" {
  description = "The number of deliveries before a message moves to the dead-letter queue."
  type        = number
}

variable "age_alarm" {
  description = "The age of the oldest message that raises the alarm, in seconds."
  type        = number
}

variable "alarm_actions" {
  description = "The ARNs that alarms notify."
  type        = list(string)
}

locals {
  queues  = { this = aws_sqs_queue.this, dead = aws_sqs_queue.dead }
  allowed = { for key, arns in { "aws:SourceArn" = var.topics, "aws:PrincipalArn" = var.senders } : key => arns if length(arns) > 0 }
}

resource "aws_sqs_queue" "this" {
  name                              = var.name
  visibility_timeout_seconds        = var.visibility_timeout
  message_retention_seconds         = 1209600
  receive_wait_time_seconds         = 20
  sqs_managed_sse_enabled           = var.kms_key_arn == null ? true : null
  kms_master_key_id                 = var.kms_key_arn
  kms_data_key_reuse_period_seconds = var.kms_key_arn == null ? null : 300

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead.arn
    maxReceiveCount     = var.max_receive_count
  })
}

resource "aws_sqs_queue" "dead" {
  name                      = "${var.name}-dead"
  message_retention_seconds = 1209600
  sqs_managed_sse_enabled   = var.kms_key_arn == null ? true : null
  kms_master_key_id         = var.kms_key_arn
}

resource "aws_sqs_queue_redrive_allow_policy" "dead" {
  queue_url = aws_sqs_queue.dead.id

  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [aws_sqs_queue.this.arn]
  })
}

# A principal can have permission for all queues by IAM, and only a Deny overrides that. A service has no PrincipalArn and a
# role has no SourceArn, so the Deny applies to every sender that matches neither list (docs/security.md).
resource "aws_sqs_queue_policy" "this" {
  for_each  = local.queues
  queue_url = each.value.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{
        Sid       = "OnlyTls"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sqs:*"
        Resource  = each.value.arn
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      }],
      [for topic in each.key == "this" ? var.topics : [] : {
        Sid       = "From${replace(title(replace(reverse(split(":", topic))[0], "-", " ")), " ", "")}"
        Effect    = "Allow"
        Principal = { Service = "sns.amazonaws.com" }
        Action    = "sqs:SendMessage"
        Resource  = each.value.arn
        Condition = { ArnEquals = { "aws:SourceArn" = topic } }
      }],
      [for queue in each.key == "this" ? [each.value] : [] : merge(
        {
          Sid       = "NobodyElse"
          Effect    = "Deny"
          Principal = "*"
          Action    = "sqs:SendMessage"
          Resource  = queue.arn
        },
        { for operator in length(local.allowed) == 0 ? [] : ["ArnNotLike"] : "Condition" => { (operator) = local.allowed } },
      )],
    )
  })
}

resource "aws_cloudwatch_metric_alarm" "dead" {
  alarm_name          = "${aws_sqs_queue.dead.name}-messages"
  alarm_description   = "Messages moved to the dead-letter queue. See docs/runbook.md: Messages were given up."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = aws_sqs_queue.dead.name }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_actions
}

resource "aws_cloudwatch_metric_alarm" "age" {
  alarm_name          = "${aws_sqs_queue.this.name}-age"
  alarm_description   = "The oldest message of the queue is too old. See docs/runbook.md: It does not keep up."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateAgeOfOldestMessage"
  dimensions          = { QueueName = aws_sqs_queue.this.name }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 5
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.age_alarm
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_actions
}

output "queue" {
  description = "Name, ARN and URL of the queue, and the ARN of its dead-letter queue."

  value = {
    name     = aws_sqs_queue.this.name
    arn      = aws_sqs_queue.this.arn
    url      = aws_sqs_queue.this.id
    dead_arn = aws_sqs_queue.dead.arn
  }

  depends_on = [aws_sqs_queue_policy.this]
}
