# One function for the routes of FUNC (default: all), and everything that invokes it.

locals {
  name = var.function == "" ? local.prefix : "${local.prefix}-${var.function}"
}

module "function" {
  source               = "../modules/function"
  name                 = local.name
  description          = "Keeps search indices in sync: ${var.function == "" ? "all routes" : var.function}"
  package              = var.package
  handler              = var.handler
  runtime              = var.runtime
  architecture         = var.architecture
  layers               = var.layers
  variables            = merge(var.settings, var.more_variables)
  policy               = var.policy
  letters_arn          = var.letters_arn
  secrets_path         = var.secrets_path
  owner                = { partition = local.partition, region = var.region, account = local.account }
  kms_key_arn          = var.kms_key_arn
  memory               = var.memory
  timeout              = var.timeout
  reserved_concurrency = var.reserved_concurrency
  trace                = var.trace
  log_retention        = var.log_retention
  subnet_ids           = var.subnet_ids
  security_group_ids   = var.security_group_ids
  alarm_actions        = var.alarm_actions
}

# A failed batch is retried until its record is 23 hours old. One hour before the stream deletes the record, Lambda puts the
# whole event into the bucket of dead letters. The number of retries is not the limit (10,000 is Lambda's maximum).
resource "aws_lambda_event_source_mapping" "stream" {
  for_each                           = var.read_streams ? var.streams : {}
  function_name                      = module.function.name
  event_source_arn                   = each.value.arn
  starting_position                  = "TRIM_HORIZON"
  batch_size                         = var.batch_size
  maximum_batching_window_in_seconds = var.batching_window
  parallelization_factor             = var.parallelization_factor
  function_response_types            = ["ReportBatchItemFailures"]
  bisect_batch_on_function_error     = true
  maximum_retry_attempts             = var.maximum_retry_attempts
  maximum_record_age_in_seconds      = var.maximum_record_age

  destination_config {
    on_failure {
      destination_arn = var.letters_arn
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

resource "aws_lambda_event_source_mapping" "queue" {
  for_each                = var.queues
  function_name           = module.function.name
  event_source_arn        = each.value
  batch_size              = 10
  function_response_types = ["ReportBatchItemFailures"]

  dynamic "scaling_config" {
    for_each = var.queue_concurrency == null ? [] : [var.queue_concurrency]

    content {
      maximum_concurrency = scaling_config.value
    }
  }
}

resource "aws_lambda_permission" "bucket" {
  for_each       = var.s3_direct ? var.buckets : {}
  statement_id   = "from-${each.key}"
  action         = "lambda:InvokeFunction"
  function_name  = module.function.name
  principal      = "s3.amazonaws.com"
  source_arn     = each.value.arn
  source_account = local.account
}

resource "aws_s3_bucket_notification" "bucket" {
  for_each   = var.s3_direct ? var.buckets : {}
  bucket     = each.value.name
  depends_on = [aws_lambda_permission.bucket]

  lambda_function {
    lambda_function_arn = module.function.arn
    events              = each.value.events
    filter_prefix       = each.value.prefix
    filter_suffix       = each.value.suffix
  }
}

# Lambda retries a failed asynchronous invocation and then stores its event.
resource "aws_lambda_function_event_invoke_config" "direct" {
  count                        = var.s3_direct ? 1 : 0
  function_name                = module.function.name
  maximum_retry_attempts       = 2
  maximum_event_age_in_seconds = 21600

  destination_config {
    on_failure {
      destination = var.letters_arn
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "iterator_age" {
  count               = length(aws_lambda_event_source_mapping.stream) > 0 ? 1 : 0
  alarm_name          = "${local.name}-iterator-age"
  alarm_description   = "Records of a stream are read too late. See docs/runbook.md: It does not keep up."
  namespace           = "AWS/Lambda"
  metric_name         = "IteratorAge"
  dimensions          = { FunctionName = module.function.name }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 5
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.iterator_age_alarm * 1000 # the metric is in milliseconds
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_actions
}

resource "aws_cloudwatch_metric_alarm" "dead_letters" {
  alarm_name          = "${local.name}-dead-letters"
  alarm_description   = "Records became dead letters. See docs/runbook.md: There are dead letters."
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_actions

  metric_query {
    id          = "dead_letters"
    label       = "dead letters"
    period      = 300
    return_data = true
    expression  = "SELECT SUM(dead_letters) FROM SCHEMA(${var.metrics_namespace}, FunctionName, route) WHERE FunctionName = '${local.name}'"
  }
}
